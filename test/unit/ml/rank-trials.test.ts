import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crowdingDistances, dominates, hypervolume, paretoFronts } from '../../../ml/search/pareto-front.js';
import { bestTrials, rankTrials } from '../../../ml/search/rank-trials.js';
import type { Trial } from '../../../ml/search/trial.js';

const trial = (index: number, outcome: Trial['outcome'], reports: Trial['reports'] = []): Trial => ({
  index,
  configuration: {},
  reports,
  outcome,
});
const met = (index: number, ...losses: number[]) => trial(index, { state: 'completed', losses, violation: 0 });
const points = (objectives: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: objectives, maxLength: objectives }), {
    maxLength: 20,
  });

describe('trials', () => {
  it('are ranked: by loss, then pruned by how far they came, then by how far they miss a constraint; failed ones not at all', () => {
    const history = [
      trial(0, { state: 'completed', losses: [0], violation: 2 }),
      met(1, 5),
      trial(2, { state: 'pruned' }, [{ resource: 3, loss: 9 }]),
      trial(3, { state: 'failed', reason: 'x' }),
      met(4, NaN),
      trial(5, { state: 'running' }),
      met(6, 4),
      trial(7, { state: 'pruned' }, [{ resource: 9, loss: 99 }]),
      trial(8, { state: 'completed', losses: [0], violation: 1 }),
      trial(9, { state: 'pruned' }),
      met(10, 4),
    ];
    const { ranked, running } = rankTrials(history.toReversed());
    expect(ranked.map(({ index }) => index)).toEqual([6, 10, 1, 7, 2, 8, 0]);
    expect(running.map(({ index }) => index)).toEqual([5]);
    expect(bestTrials(history).map(({ index }) => index)).toEqual([6]);
  });

  it('that failed, were pruned or missed a constraint are never the best', () => {
    const history = [
      trial(0, { state: 'failed', reason: 'x' }),
      trial(1, { state: 'pruned' }, [{ resource: 1, loss: 0 }]),
      trial(2, { state: 'completed', losses: [0], violation: 1 }),
      met(3, Infinity),
    ];
    expect(bestTrials(history)).toEqual([]);
    expect(bestTrials([])).toEqual([]);
  });

  it('of several objectives are best where none dominates them', () => {
    expect(
      bestTrials([met(0, 1, 5), met(1, 5, 1), met(2, 5, 5), met(3, 2, 2)])
        .map(({ index }) => index)
        .sort((a, b) => a - b),
    ).toEqual([0, 1, 3]);
    expect(() => rankTrials([met(0, 1), met(1, 1, 2)])).toThrow(/trial 1 has 2 losses, others have 1/);
  });
});

describe('fronts', () => {
  it('hold each point once, and each is dominated by none of its own front but by one of the front before', () => {
    fc.assert(
      fc.property(points(3), (all) => {
        const fronts = paretoFronts(all);
        expect(fronts.flat().sort((a, b) => a - b)).toEqual(all.map((_, at) => at));
        fronts.forEach((front, rank) => {
          for (const at of front) {
            expect(front.some((other) => dominates(all[other]!, all[at]!))).toBe(false);
            if (rank > 0) expect(fronts[rank - 1]!.some((other) => dominates(all[other]!, all[at]!))).toBe(true);
          }
        });
      }),
    );
  });

  it('leave the ends infinite room, and the middle its share', () => {
    const front = [
      [0, 4],
      [1, 2],
      [4, 0],
    ];
    expect([...crowdingDistances(front)]).toEqual([Infinity, 2, Infinity]);
  });
});

describe('the hypervolume', () => {
  it.each([1, 2, 3])(
    'of points on a grid is the count of cells that they dominate, with %i objectives',
    (objectives) => {
      fc.assert(
        fc.property(points(objectives), (all) => {
          let cells = 0;
          const count = (prefix: number[]): void => {
            if (prefix.length === objectives) {
              if (all.some((point) => point.every((loss, k) => loss <= prefix[k]!))) cells++;
              return;
            }
            for (let value = 0; value < 8; value++) count([...prefix, value]);
          };
          count([]);
          expect(hypervolume(all, new Array<number>(objectives).fill(8))).toBeCloseTo(cells, 9);
        }),
        { numRuns: 60 },
      );
    },
  );

  it('refuses points of another number of objectives', () => {
    expect(() => hypervolume([[1, 2]], [3])).toThrow(/2 objectives, but the reference 1/);
  });
});
