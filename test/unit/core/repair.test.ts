import { describe, expect, it } from 'vitest';
import { decideRepair, type PastRepair } from '../../../core/decisions/decide-repair.js';
import { judgeRetraining } from '../../../core/decisions/judge-retraining.js';
import { HOLDOUT_RULE } from '../../../core/decisions/rollout-rule.js';
import { createPrng } from '../../../ml/random/prng.js';
import { repairSettingsSchema } from '../../../core/schemas/repair-settings.js';
import type { RepairState } from '../../../core/schemas/repair.js';

const HOUR_MS = 3_600_000;
const NOW_MS = 1000 * HOUR_MS;
const settings = repairSettingsSchema.parse({ debounce_minutes: 60, trainings: 3, period_days: 10, backoff_hours: 24 });
/** Begun so many hours ago, and an hour long. */
const past = (hoursAgo: number, state: RepairState): PastRepair => ({
  startedMs: NOW_MS - hoursAgo * HOUR_MS,
  ...(state !== 'running' && { endedMs: NOW_MS - (hoursAgo - 1) * HOUR_MS }),
  state,
});
const decide = (openedHoursAgo: number, repairs: PastRepair[]) =>
  decideRepair({ openedMs: NOW_MS - openedHoursAgo * HOUR_MS }, repairs, settings, NOW_MS);

describe('an alert that advises to retrain', () => {
  it('begins a repair when it has stood long enough', () => {
    expect(decide(2, [])).toEqual({ begin: true });
    expect(decide(0.5, [])).toMatchObject({ begin: false, untilMs: NOW_MS + HOUR_MS / 2 });
  });

  it('begins none beside another one', () => {
    expect(decide(2, [past(1, 'running')])).toEqual({ begin: false, reason: 'A repair of the model is under way.' });
  });

  it('waits twice as long after each one that did not help, whatever a person has ended between', () => {
    const once = decide(2, [past(13, 'not_better')]);
    expect(once).toMatchObject({ begin: false, untilMs: NOW_MS + 12 * HOUR_MS });
    const twice = decide(2, [past(5, 'cancelled'), past(37, 'rolled_back'), past(70, 'failed')]);
    expect(twice).toMatchObject({ begin: false, untilMs: NOW_MS + 12 * HOUR_MS });
    expect(decide(2, [past(26, 'not_better')])).toEqual({ begin: true });
    expect(decide(2, [past(13, 'cancelled')])).toEqual({ begin: true });
  });

  it('waits for the budget of the period', () => {
    const three = [past(30, 'repaired'), past(60, 'repaired'), past(239, 'repaired')];
    expect(decide(2, three)).toMatchObject({ begin: false, untilMs: NOW_MS + HOUR_MS });
    expect(decide(2, [...three.slice(0, 2), past(241, 'repaired')])).toEqual({ begin: true });
  });

  it('is not repaired again while the one that was made for it has had no time to show', () => {
    expect(decide(10, [past(5, 'repaired')])).toMatchObject({
      begin: false,
      reason: 'A repair was made for it already.',
    });
    expect(decide(2, [past(5, 'repaired')]), 'a new one').toEqual({ begin: true });
    expect(decide(40, [past(30, 'repaired')]), 'it did not go away').toEqual({ begin: true });
  });
});

describe('a version that was trained anew', () => {
  /** @param change mean and deviation of what the new version loses more, over 400 rows */
  const measured = (measure: string, [mean, deviation]: [number, number], harm: 'rises' | 'falls' = 'rises') => ({
    measure,
    harm,
    baselineMean: 0.5,
    difference: {
      entities: 400,
      requests: 400,
      total: 400 * mean,
      requestsSquared: 400,
      totalSquared: 400 * (mean * mean + deviation * deviation),
      crossed: 400 * mean,
      entitiesWithEvents: 200,
    },
  });
  const judge = (...measures: ReturnType<typeof measured>[]) =>
    judgeRetraining({ strategy: 'holdout', windows: 1, seconds: 0, pairs: 400, measures }, HOLDOUT_RULE);

  it('does better where a loss is shown to be lower and nothing is harmed', () => {
    // One look, one side: 1.645 standard errors, which are 0.05 here.
    expect(judge(measured('loss:label', [-0.1, 1]))).toEqual({
      outcome: 'better',
      reason: 'loss:label is lower by 0.100, and by 0.0177 at least.',
    });
    expect(judge(measured('loss:label', [-0.08, 1])).outcome).toBe('no_better');
    // The more heads, the more of them are lower by chance.
    expect(judge(measured('loss:label', [-0.085, 1])).outcome).toBe('better');
    expect(judge(measured('loss:label', [-0.085, 1]), measured('loss:days', [0, 1])).outcome).toBe('no_better');
  });
  it('does not where it may be chance, where only something else is lower, or where nothing could be compared', () => {
    expect(judge(measured('loss:label', [-0.01, 1]))).toEqual({
      outcome: 'no_better',
      reason: 'loss:label is lower by 0.0100, which may be chance.',
    });
    expect(judge(measured('error_rate', [-0.4, 0.5])).outcome).toBe('no_better');
    expect(judge()).toEqual({ outcome: 'no_better', reason: 'No loss could be compared.' });
    const few = measured('loss:label', [-0.4, 0.5]);
    few.difference = {
      ...few.difference,
      entities: 4,
      requests: 4,
      total: -1.6,
      requestsSquared: 4,
      totalSquared: 0.8,
    };
    few.difference = { ...few.difference, crossed: -1.6, entitiesWithEvents: 0 };
    expect(judge(few).outcome).toBe('no_better');
  });
  it('needs more to be shown where the rows are few', () => {
    const over = (rows: number, mean: number) => {
      const sums = { total: rows * mean, totalSquared: rows * (mean * mean + 1), crossed: rows * mean };
      return {
        ...measured('loss:label', [mean, 1]),
        difference: { ...sums, entities: rows, requests: rows, requestsSquared: rows, entitiesWithEvents: rows / 2 },
      };
    };
    // Two standard errors are enough of 400 rows, and not of 80; four are.
    expect(judge(over(400, -0.1)).outcome).toBe('better');
    expect(judge(over(80, -0.22)).outcome).toBe('no_better');
    expect(judge(over(80, -0.45)).outcome).toBe('better');
    expect(judge(over(20, -2)).outcome).toBe('no_better');
  });
  it('does worse where anything is harmed, however much a loss is lower', () => {
    expect(judge(measured('loss:label', [-0.4, 0.5]), measured('error_rate', [0.4, 0.4])).outcome).toBe('worse');
  });
  it('is called better by chance in one of twenty trainings that changed nothing', () => {
    const prng = createPrng(8);
    let better = 0;
    for (let run = 0; run < 1000; run++) {
      // As the differences of log losses are: skewed.
      const more = Array.from({ length: 400 }, () => Math.exp(prng.nextGaussian()) * (prng.next() < 0.5 ? -1 : 1));
      const sum = (of: (one: number) => number) => more.reduce((total, one) => total + of(one), 0) / 400;
      const mean = sum((one) => one);
      const deviation = Math.sqrt(sum((one) => one * one) - mean * mean);
      if (judge(measured('loss:label', [mean, deviation])).outcome === 'better') better++;
    }
    expect(better / 1000).toBeLessThan(0.065);
    expect(better / 1000).toBeGreaterThan(0.03);
  });
});
