import { describe, expect, it } from 'vitest';
import { decideRepair, type PastRepair } from '../../../core/decisions/decide-repair.js';
import { judgeRetraining } from '../../../core/decisions/judge-retraining.js';
import type { GuardrailFinding } from '../../../core/decisions/rollout-evidence.js';
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
  const finding = (measure: string, more: Partial<GuardrailFinding>): GuardrailFinding => ({
    measure,
    finding: 'safe',
    estimate: -0.1,
    lower: -0.3,
    upper: 0.05,
    margin: 0.1,
    reason: `${measure} is as it is.`,
    ...more,
  });
  it('does better where a loss is shown to be lower and nothing is harmed', () => {
    const better = judgeRetraining({ findings: [finding('loss:label', { upper: -0.02 })] });
    expect(better).toEqual({ outcome: 'better', reason: 'loss:label is lower by 0.100, and by 0.0200 at least.' });
  });
  it('does not where it may be chance, where only something else is lower, or where nothing could be compared', () => {
    expect(judgeRetraining({ findings: [finding('loss:label', {})] }).outcome).toBe('no_better');
    expect(judgeRetraining({ findings: [finding('error_rate', { upper: -0.02 })] }).outcome).toBe('no_better');
    expect(judgeRetraining({ findings: [finding('loss:label', { upper: null, estimate: null })] }).outcome).toBe(
      'no_better',
    );
  });
  it('does worse where anything is harmed, however much a loss is lower', () => {
    const findings = [
      finding('loss:label', { upper: -0.02 }),
      finding('error_rate', { finding: 'harmful', reason: 'More errors.' }),
    ];
    expect(judgeRetraining({ findings })).toEqual({ outcome: 'worse', reason: 'More errors.' });
  });
});
