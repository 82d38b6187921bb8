import { describe, expect, it } from 'vitest';
import type { Trial } from '../../../ml/search/trial.js';
import type { OpenTrials } from '../../../services/kinds/recipe.js';
import { endedBefore, measureTrial, replayMeasurement } from '../../../services/search/measure-trial.js';
import type { SearchPlan } from '../../../services/search/search-plan.js';

const SEARCH: SearchPlan = {
  sampler: 'random',
  pruner: 'median',
  seed: 1,
  parallelism: 2,
  space: { x: { type: 'float', low: 0, high: 1 } },
  resource: { name: 'folds', least: 1, most: 3 },
  trials: 10,
  warmStart: false,
};
/** Reports the loss that its configuration names, fold by fold. */
const BENCH: OpenTrials = {
  async run({ x }, { report }) {
    for (let fold = 1; fold <= 3; fold++) if (report(fold, x as number) === 'prune') return undefined;
    return { metrics: { loss: x as number, seen: 1 } };
  },
};
const ended = (index: number, loss: number): Trial => ({
  index,
  configuration: { x: loss },
  reports: [1, 2, 3].map((resource) => ({ resource, loss })),
  outcome: { state: 'completed', losses: [loss], violation: 0 },
});
const HISTORY = Array.from({ length: 8 }, (_, index) => ended(index, 0.1 + index / 100));
const subject = (x: number) => ({ search: SEARCH, index: 9, configuration: { x }, history: HISTORY });
const measure = (x: number, bench = BENCH) => measureTrial(bench, subject(x), () => undefined);

describe('a trial', () => {
  it('runs to its end where it does well, with all that it has told', async () => {
    const measured = await measure(0.05);
    expect(measured).toMatchObject({ state: 'completed', losses: [0.05], violation: 0, metrics: { seen: 1 } });
    expect(measured.reports).toEqual([1, 2, 3].map((resource) => ({ resource, loss: 0.05 })));
  });

  it('is ended early where the trials before it did better', async () => {
    expect(await measure(0.9)).toMatchObject({ state: 'pruned', losses: [], reports: [{ resource: 1, loss: 0.9 }] });
  });

  it('is ended early also where it does not listen', async () => {
    const deaf: OpenTrials = {
      async run({ x }, { report }) {
        for (let fold = 1; fold <= 3; fold++) report(fold, x as number);
        return { metrics: { loss: x as number } };
      },
    };
    expect(await measure(0.9, deaf)).toMatchObject({ state: 'pruned', reports: [{ resource: 1, loss: 0.9 }] });
  });

  it.each<[string, OpenTrials, RegExp]>([
    ['NaN', { run: async () => ({ metrics: { loss: NaN } }) }, /its loss is NaN/],
    ['infinity', { run: async () => ({ metrics: { loss: Infinity } }) }, /its loss is Infinity/],
    ['no loss at all', { run: async () => ({ metrics: {} }) }, /its loss is NaN/],
    ['nothing, unasked', { run: async () => undefined }, /gave no figures/],
    ['an error', { run: () => Promise.reject(new RangeError('learning_rate: too big')) }, /^learning_rate: too big$/],
  ])('has failed with its reason when it comes to %s', async (_, bench, reason) => {
    const measured = await measure(0.05, bench);
    expect(measured.state).toBe('failed');
    expect(measured.reason).toMatch(reason);
  });

  it('that was measured before comes to what it would come to here', async () => {
    const { configuration: _, ...rest } = subject(0);
    for (const x of [0.05, 0.12, 0.9]) {
      const alone = await measureTrial(
        BENCH,
        { ...subject(x), search: { ...SEARCH, pruner: 'none' } },
        () => undefined,
      );
      expect(replayMeasurement(alone, rest)).toEqual(await measure(x));
    }
  });

  it('knows the ends that are there however the workers hurry, and no others', () => {
    expect([0, 1, 2, 3, 9].map((index) => endedBefore(index, { parallelism: 3 }))).toEqual([0, 0, 0, 1, 7]);
    expect([0, 1, 2].map((index) => endedBefore(index, { parallelism: 1 }))).toEqual([0, 1, 2]);
  });
});
