import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { createAutoSampler, MOST_GP_PARAMETERS, MOST_GP_TRIALS } from '../../../ml/search/auto-sampler.js';
import { logExpectedImprovement } from '../../../ml/search/expected-improvement.js';
import { GaussianProcess } from '../../../ml/search/gaussian-process.js';
import { createGpSampler, gpStartupTrials } from '../../../ml/search/gp-sampler.js';
import type { Sampler } from '../../../ml/search/sampler.js';
import { checkConfiguration, parseSearchSpace, type Configuration } from '../../../ml/search/search-space.js';
import { surrogateTargets } from '../../../ml/search/surrogate-targets.js';
import { createTpeSampler } from '../../../ml/search/tpe-sampler.js';
import { visibleTrials, type Trial } from '../../../ml/search/trial.js';
import { anySpace } from './search-spaces.js';
import { completed, lossOf, search } from './search-trials.js';

const leastOf = (trials: readonly Trial[]) => Math.min(...trials.map(lossOf));

const LINE = Array.from({ length: 12 }, (_, at) => Float64Array.of(at / 11));
const WAVE = Float64Array.from(LINE, ([x]) => Math.sin(6 * x!));

describe('a Gaussian process', () => {
  const process = GaussianProcess.fit(LINE, WAVE, [false]);

  it('goes through what was seen, is sure there, and lies close between', () => {
    LINE.forEach((point, at) => {
      const { mean, variance } = process.believe(point);
      expect(mean).toBeCloseTo(WAVE[at]!, 2);
      expect(variance).toBeLessThan(1e-3);
    });
    expect(process.believe(Float64Array.of(0.41)).mean).toBeCloseTo(Math.sin(6 * 0.41), 2);
  });

  it('doubts more the further away from what was seen', () => {
    const variances = [1, 1.2, 1.5, 3].map((x) => process.believe(Float64Array.of(x)).variance);
    expect(variances).toEqual([...variances].sort((a, b) => a - b));
  });

  it('has the slopes that differences have', () => {
    const points = Array.from({ length: 9 }, (_, at) => Float64Array.of((at * 0.37) % 1, (at * 0.61) % 1, at % 3));
    const two = GaussianProcess.fit(
      points,
      Float64Array.from(points, ([x, y, z]) => x! * y! + (z === 1 ? 0.5 : 0)),
      [false, false, true],
    );
    const at = Float64Array.of(0.31, 0.77, 1);
    const slopes = new Float64Array(6);
    two.believe(at, slopes);
    for (const k of [0, 1]) {
      const [up, down] = [1e-5, -1e-5].map((step) => two.believe(at.map((x, d) => (d === k ? x + step : x))));
      expect(slopes[k]).toBeCloseTo((up!.mean - down!.mean) / 2e-5, 5);
      expect(slopes[3 + k]).toBeCloseTo((up!.variance - down!.variance) / 2e-5, 5);
    }
    expect([slopes[2], slopes[5]]).toEqual([0, 0]);
  });

  it('takes longer lengths along what does not matter', () => {
    const prng = createPrng(3);
    const points = Array.from({ length: 40 }, () => Float64Array.of(prng.next(), prng.next()));
    const one = GaussianProcess.fit(
      points,
      Float64Array.from(points, ([x]) => Math.sin(6 * x!)),
      [false, false],
    );
    const middle = one.believe(Float64Array.of(0.5, 0.5)).mean;
    expect(Math.abs(one.believe(Float64Array.of(0.5, 0.95)).mean - middle)).toBeLessThan(0.05);
    expect(Math.abs(one.believe(Float64Array.of(0.95, 0.5)).mean - middle)).toBeGreaterThan(0.3);
  });

  it('stays of the same mind where it is told what it expects, and is surer there', () => {
    const between = Float64Array.of(1.3);
    const extended = process.extend([between]);
    expect(extended.believe(between).mean).toBeCloseTo(process.believe(between).mean, 1);
    expect(extended.believe(between).variance).toBeLessThan(0.1 * process.believe(between).variance);
  });

  it('bears points that were seen twice with different answers, and one alone', () => {
    const twice = GaussianProcess.fit([...LINE, ...LINE], Float64Array.from([...WAVE, ...WAVE.map((y) => y + 0.2)]), [
      false,
    ]);
    expect(twice.believe(LINE[3]!).mean).toBeCloseTo(WAVE[3]! + 0.1, 1);
    expect(GaussianProcess.fit([LINE[0]!], Float64Array.of(0), [false]).believe(LINE[5]!).mean).toBe(0);
    expect(() => GaussianProcess.fit([], new Float64Array(0), [false])).toThrow('at least one point');
  });
});

describe('the logarithm of the expected improvement', () => {
  it('is that of the integral', () => {
    for (const [mean, deviation, best] of [
      [0, 1, 0],
      [1, 0.5, 0.2],
      [-1, 2, 0.5],
    ] as const) {
      let integral = 0;
      for (let z = -12; z < 12; z += 1e-3) {
        const gain = Math.max(0, best - mean - deviation * z);
        integral += (1e-3 * gain * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI);
      }
      expect(logExpectedImprovement(mean, deviation ** 2, best).value).toBeCloseTo(Math.log(integral), 5);
    }
  });

  it('has the slopes that differences have, also where the improvement rounds to nothing', () => {
    for (const mean of [-3, 0.3, 5, 29.9, 30.1, 80]) {
      const { ofMean, ofVariance } = logExpectedImprovement(mean, 1, 0);
      const by = (m: number, v: number) => logExpectedImprovement(mean + m, 1 + v, 0).value;
      const byMean = (by(1e-4, 0) - by(-1e-4, 0)) / 2e-4;
      const byVariance = (by(0, 1e-5) - by(0, -1e-5)) / 2e-5;
      // The two formulas meet at 30: a step across it has their difference, a hundred-thousandth, in it.
      expect(Math.abs(ofMean / byMean - 1)).toBeLessThan(2e-3);
      expect(Math.abs(ofVariance / byVariance - 1)).toBeLessThan(2e-3);
    }
  });
});

describe('what a model of the losses learns from', () => {
  it('keeps the order, squeezes what is worse than the middle, and has mean 0 and variance 1', () => {
    const history = [5, 1, 1e9, 3, 2].map((loss, index) => completed(index, { x: loss }, loss));
    const { trials, targets } = surrogateTargets(history);
    expect(trials.map(({ index }) => index)).toEqual([1, 4, 3, 0, 2]);
    expect([...targets]).toEqual([...targets].sort((a, b) => a - b));
    expect(targets.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 10);
    expect(targets.reduce((a, b) => a + b * b, 0) / 5).toBeCloseTo(1, 10);
    expect(targets[4]! - targets[0]!).toBeLessThan(4);
  });

  it('counts what was pruned or missed a constraint as the worst, and leaves out what failed', () => {
    const others: Trial[] = [
      { ...completed(3, {}, 0), outcome: { state: 'completed', losses: [-9], violation: 1 } },
      { index: 4, configuration: {}, reports: [{ resource: 3, loss: -5 }], outcome: { state: 'pruned' } },
      { index: 5, configuration: {}, reports: [], outcome: { state: 'failed', reason: 'memory' } },
    ];
    const { trials, targets } = surrogateTargets([
      ...[1, 2, 3].map((loss, index) => completed(index, {}, loss)),
      ...others,
    ]);
    expect(trials.map(({ index }) => index)).toEqual([0, 1, 2, 4, 3]);
    expect(targets[3]).toBe(targets[2]);
    expect(targets[4]).toBe(targets[2]);
  });

  it('takes the ranking where there are several objectives', () => {
    const history = [
      [1, 4],
      [2, 2],
      [9, 9],
    ].map((losses, index): Trial => ({
      ...completed(index, {}, 0),
      outcome: { state: 'completed', losses, violation: 0 },
    }));
    const { trials, targets } = surrogateTargets(history);
    expect(trials.at(-1)!.index).toBe(2);
    expect(targets[0]).toBeCloseTo(-targets[2]!, 6);
  });
});

describe.each([
  ['Gaussian process', createGpSampler],
  ['automatic', createAutoSampler],
])('the %s sampler', (_, create) => {
  it('draws what is in the space, whatever became of the trials before, and the same again', () => {
    fc.assert(
      fc.property(anySpace, fc.integer({ min: 0, max: 1e6 }), (json, seed) => {
        const space = parseSearchSpace(json);
        const prng = createPrng(seed);
        const history: Trial[] = [];
        for (let index = 0; index < gpStartupTrials(space) + 4; index++) {
          const request = { history, index, seed };
          const configuration = create(space).suggest(request);
          expect(() => checkConfiguration(space, configuration)).not.toThrow();
          expect(create(space).suggest({ ...request, history: history.toReversed() })).toEqual(configuration);
          const outcomes: Trial['outcome'][] = [
            { state: 'completed', losses: [prng.next()], violation: prng.next() < 0.2 ? 1 : 0 },
            { state: 'completed', losses: [NaN], violation: 0 },
            { state: 'failed', reason: 'out of memory' },
            { state: 'running' },
            { state: 'pruned' },
          ];
          history.push({ index, configuration, reports: [], outcome: outcomes[prng.nextInt(5)]! });
        }
      }),
      { numRuns: 8, seed: 1 },
    );
  });

  it('finds the least of a bowl whose parameters depend on a choice', () => {
    const space = parseSearchSpace({
      kind: { type: 'categorical', choices: ['a', 'b', 'c'] },
      depth: { type: 'int', low: 1, high: 30, when: { parameter: 'kind', in: ['b'] } },
      rate: { type: 'float', low: 1e-4, high: 1, log: true, when: { parameter: 'kind', in: ['a', 'b'] } },
    });
    const loss = ({ kind, depth, rate }: Configuration) =>
      kind === 'c'
        ? 1
        : (Math.log10(Number(rate)) + 2) ** 2 / 4 + (kind === 'b' ? ((Number(depth) - 21) / 30) ** 2 : 0.2);
    const found = [0, 1, 2].map((seed) => leastOf(search(create(space), loss, 30, seed)));
    expect(Math.max(...found)).toBeLessThan(0.02);
  });
});

describe('the Gaussian process sampler', () => {
  it('comes far closer to the least of the Branin function in 25 trials than densities do in 50', () => {
    const space = parseSearchSpace({ x: { type: 'float', low: -5, high: 10 }, y: { type: 'float', low: 0, high: 15 } });
    const branin = ({ x, y }: Configuration) => {
      const curve = Number(y) - (5.1 / (4 * Math.PI ** 2)) * Number(x) ** 2 + (5 / Math.PI) * Number(x) - 6;
      return curve ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(Number(x)) + 10;
    };
    const regrets = [0, 1, 2, 3, 4].map((seed) => leastOf(search(createGpSampler(space), branin, 25, seed)) - 0.397887);
    // Densities have a median of 0.03 after 50 trials.
    expect(regrets.toSorted((a, b) => a - b)[2]).toBeLessThan(0.02);
  });

  it('draws other places for trials side by side', () => {
    const space = parseSearchSpace({ x: { type: 'float', low: 0, high: 1 }, y: { type: 'float', low: 0, high: 1 } });
    const sampler = createGpSampler(space);
    const loss = ({ x, y }: Configuration) => (Number(x) - 0.3) ** 2 + (Number(y) - 0.6) ** 2;
    const trials: Trial[] = [];
    for (let index = 0; index < 24; index++) {
      const configuration = sampler.suggest({ history: visibleTrials(trials, index, 4), index, seed: 5 });
      trials.push(completed(index, configuration, loss(configuration)));
    }
    for (let a = 10; a < 24; a++)
      for (let b = a + 1; b < Math.min(24, a + 4); b++)
        expect(
          Math.hypot(
            ...['x', 'y'].map((k) => Number(trials[a]!.configuration[k]) - Number(trials[b]!.configuration[k])),
          ),
        ).toBeGreaterThan(1e-4);
    expect(leastOf(trials)).toBeLessThan(1e-3);
  });

  it('draws no configuration twice while others are left', () => {
    const space = parseSearchSpace({ n: { type: 'int', low: 1, high: 12 } });
    const trials = search(createGpSampler(space), ({ n }) => Math.abs(Number(n) - 7), 12, 1);
    expect(new Set(trials.slice(5).map(({ configuration }) => configuration['n'])).size).toBe(7);
  });
});

describe('the automatic sampler', () => {
  const space = parseSearchSpace({ x: { type: 'float', low: 0, high: 1 } });
  const drawn = (sampler: Sampler, history: Trial[]) => sampler.suggest({ history, index: history.length, seed: 4 });
  const history = (count: number, losses: (x: number) => number[]) =>
    Array.from({ length: count }, (_, index): Trial => {
      const x = (index * 0.618) % 1;
      return { ...completed(index, { x }, 0), outcome: { state: 'completed', losses: losses(x), violation: 0 } };
    });

  it('draws from a Gaussian process for few trials, and from densities for many', () => {
    const [few, many] = [30, MOST_GP_TRIALS].map((count) => history(count, (x) => [(x - 0.4) ** 2]));
    expect(drawn(createAutoSampler(space), few!)).toEqual(drawn(createGpSampler(space), few!));
    expect(drawn(createAutoSampler(space), many!)).toEqual(drawn(createTpeSampler(space), many!));
  });

  it('draws from densities for several objectives, and in spaces of many parameters', () => {
    const two = history(30, (x) => [x, 1 - x]);
    expect(drawn(createAutoSampler(space), two)).toEqual(drawn(createTpeSampler(space), two));
    const wide = parseSearchSpace(
      Object.fromEntries(
        Array.from({ length: MOST_GP_PARAMETERS + 1 }, (_, k) => [`x${k}`, { type: 'float', low: 0, high: 1 }]),
      ),
    );
    const sampler = createTpeSampler(wide);
    const known = search(sampler, ({ x0 }) => Number(x0), 50, 2);
    expect(drawn(createAutoSampler(wide), known)).toEqual(drawn(sampler, known));
  });
});
