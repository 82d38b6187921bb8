import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { normalCdf } from '../../../ml/search/normal-distribution.js';
import { createRandomSampler } from '../../../ml/search/random-sampler.js';
import { bestTrials } from '../../../ml/search/rank-trials.js';
import type { Sampler } from '../../../ml/search/sampler.js';
import { checkConfiguration, parseSearchSpace, type Configuration } from '../../../ml/search/search-space.js';
import { createTpeSampler, startupTrials } from '../../../ml/search/tpe-sampler.js';
import { visibleTrials, type Trial } from '../../../ml/search/trial.js';
import { readGolden } from './golden.js';
import { anySpace } from './search-spaces.js';
import { completed, lossOf, search } from './search-trials.js';

const BRANIN = parseSearchSpace({ x: { type: 'float', low: -5, high: 10 }, y: { type: 'float', low: 0, high: 15 } });
function branin(configuration: Configuration): number {
  const [x, y] = [Number(configuration['x']), Number(configuration['y'])];
  const curve = y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6;
  return curve ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

describe('the normal distribution function', () => {
  it('is that of SciPy, to 1e-12 of itself also far out', () => {
    const golden = readGolden<[number, number][]>('normal_cdf.json');
    for (const [z, expected] of golden) expect(Math.abs(normalCdf(z) / expected - 1)).toBeLessThan(1e-12);
  });
});

describe('the tree-structured Parzen estimator', () => {
  it('draws what is in the space, whatever became of the trials before', () => {
    fc.assert(
      fc.property(anySpace, fc.integer({ min: 0, max: 1e6 }), (json, seed) => {
        const space = parseSearchSpace(json);
        const sampler = createTpeSampler(space);
        const prng = createPrng(seed);
        const history: Trial[] = [];
        for (let index = 0; index < startupTrials(space) + 12; index++) {
          const configuration = sampler.suggest({ history, index, seed });
          expect(() => checkConfiguration(space, configuration)).not.toThrow();
          const outcomes: Trial['outcome'][] = [
            { state: 'completed', losses: [prng.next()], violation: prng.next() < 0.2 ? 1 : 0 },
            { state: 'completed', losses: [NaN], violation: 0 },
            { state: 'failed', reason: 'out of memory' },
            { state: 'running' },
            { state: 'pruned' },
          ];
          const reports = [{ resource: 1, loss: prng.next() }];
          history.push({ index, configuration, reports, outcome: outcomes[Math.floor(prng.next() * 5)]! });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('draws the same for the same seed, in whatever order the history is given, and another for another seed', () => {
    const sampler = createTpeSampler(BRANIN);
    const history = search(sampler, branin, 30, 5);
    const draw = (of: Trial[], seed: number) => sampler.suggest({ history: of, index: 30, seed });
    expect(draw(history.toReversed(), 5)).toEqual(draw(history, 5));
    expect(search(sampler, branin, 30, 5)).toEqual(history);
    expect(draw(history, 6)).not.toEqual(draw(history, 5));
  });

  it('finds lower values of the Branin function than chance does with as many trials', () => {
    const regret = (sampler: Sampler) =>
      median(
        Array.from({ length: 9 }, (_, seed) => Math.min(...search(sampler, branin, 60, seed).map(lossOf)) - 0.397887),
      );
    const tpe = regret(createTpeSampler(BRANIN));
    // Chance has a median of 0.67 after 60 trials, the peer 0.09.
    expect(tpe).toBeLessThan(0.12);
    expect(tpe).toBeLessThan(regret(createRandomSampler(BRANIN)) / 3);
  });

  it('follows parameters that only some choices have', () => {
    const space = parseSearchSpace({
      algorithm: { type: 'categorical', choices: ['forest', 'linear'] },
      depth: { type: 'int', low: 1, high: 30, when: { parameter: 'algorithm', in: ['forest'] } },
      penalty: { type: 'float', low: 1e-4, high: 10, log: true, when: { parameter: 'algorithm', in: ['linear'] } },
    });
    const objective = ({ algorithm, depth, penalty }: Configuration) =>
      algorithm === 'forest' ? 1 + Math.abs(Number(depth) - 12) / 30 : Math.abs(Math.log10(Number(penalty)) + 2) / 4;
    const history = search(createTpeSampler(space), objective, 60, 1);
    const late = history.slice(30).map(({ configuration }) => configuration['algorithm']);
    expect(late.filter((algorithm) => algorithm === 'linear').length).toBeGreaterThan(20);
    expect(lossOf(bestTrials(history)[0]!)).toBeLessThan(0.05);
  });

  it('spreads draws that run side by side', () => {
    const sampler = createTpeSampler(BRANIN);
    const history = search(sampler, branin, 40, 3);
    const drawn: Configuration[] = [];
    for (let index = 40; index < 44; index++) {
      const configuration = sampler.suggest({ history, index, seed: 3 });
      drawn.push(configuration);
      history.push({ index, configuration, reports: [], outcome: { state: 'running' } });
    }
    expect(new Set(drawn.map((one) => JSON.stringify(one))).size).toBe(4);
  });
});

describe('what a draw may know of trials that run side by side', () => {
  it('makes the table of trials the same, however long each of them takes', () => {
    const sampler = createTpeSampler(BRANIN);
    const parallelism = 4;
    /** Workers end in an order of their own; a trial begins when the one `parallelism` before it has ended. */
    const sweep = (timing: number) => {
      const prng = createPrng(timing);
      const table: Trial[] = [];
      const running: number[] = [];
      for (let index = 0; index < 40;) {
        const mayStart =
          running.length < parallelism &&
          (index < parallelism || table[index - parallelism]!.outcome.state !== 'running');
        if (mayStart) {
          const configuration = sampler.suggest({ history: visibleTrials(table, index, parallelism), index, seed: 9 });
          table.push({ index, configuration, reports: [], outcome: { state: 'running' } });
          running.push(index++);
          continue;
        }
        const [ended] = running.splice(Math.floor(prng.next() * running.length), 1);
        table[ended!] = completed(ended!, table[ended!]!.configuration, branin(table[ended!]!.configuration));
      }
      return table.map(({ configuration }) => configuration);
    };
    const undisturbed = sweep(1);
    for (let timing = 2; timing < 12; timing++) expect(sweep(timing)).toEqual(undisturbed);
  });

  it('refuses to draw before its turn', () => {
    const trial = (index: number, outcome: Trial['outcome']): Trial => ({
      index,
      configuration: {},
      reports: [],
      outcome,
    });
    expect(() => visibleTrials([], 1, 1)).toThrow(/trial 0 is missing/);
    expect(() => visibleTrials([trial(0, { state: 'running' })], 1, 1)).toThrow(/trial 0 must end first/);
    expect(() => visibleTrials([], 0, 0)).toThrow(/parallelism is 0/);
  });
});
