import { describe, expect, it } from 'vitest';
import { watchModel } from '../../../../bench/monitors/simulated-truths.js';
import { judgeDecay } from '../../../../core/monitoring/judge-decay.js';
import { judgeGap } from '../../../../core/monitoring/judge-fairness.js';
import { normalScore, shiftEvidence } from '../../../../ml/sequential/shift-evidence.js';
import { createPrng } from '../../../../ml/random/prng.js';

const RULE = { leastRows: 30, margin: 0.1, windowsAFalseAlarm: 2920 };
const around = (value: number, half = 0.03, rows = 500) => ({ value, lower: value - half, upper: value + half, rows });

describe('the evidence of a shift', () => {
  it('reaches a limit of 50 windows no more often than once in 50 where nothing shifts', () => {
    const prng = createPrng(4);
    let alarms = 0;
    let windows = 0;
    for (let run = 0; run < 400; run++) {
      const evidence = shiftEvidence(
        Array.from({ length: 400 }, () => prng.nextGaussian()),
        50,
      );
      const first = evidence.findIndex((one) => one >= Math.log(50));
      windows += first === -1 ? 400 : first + 1;
      if (first !== -1) alarms++;
    }
    expect(alarms / windows).toBeLessThan(1 / 50);
    expect(alarms).toBeGreaterThan(20);
  });

  it('wears off after a rise is over, and counts a window without a verdict as nothing', () => {
    const evidence = shiftEvidence([...Array<number>(30).fill(5), ...Array<number>(8).fill(-1)], 1000);
    expect(evidence[29]).toBeCloseTo(Math.log(1000) + Math.log(100), 9);
    expect(evidence.at(-1)).toBeLessThan(Math.log(1000));
    expect(shiftEvidence([2, NaN, NaN], 100)).toEqual(Array(3).fill(shiftEvidence([2], 100)[0]));
    expect(normalScore(5, 30)).toBeLessThan(5);
    expect(normalScore(-2, 100_000)).toBeCloseTo(-2, 3);
    expect(() => shiftEvidence([], 1)).toThrow('above 1');
  });
});

describe('decay of a metric', () => {
  it('is not seen where there is none, and found within windows where there is', () => {
    const model = { rowsADay: 150, holdoutRows: 1000, noise: 0.5 };
    for (let year = 0; year < 4; year++) {
      const alarms = watchModel({ ...model, seed: 500 + year, days: 150, changeDay: 0 }, { ...RULE, margin: 0 });
      expect(Object.values(alarms).flat()).toEqual([]);
    }
    const { accuracy, brier } = watchModel({ ...model, seed: 9, days: 30, changeDay: 20 }, RULE);
    expect(brier![0]! - 20).toBeLessThanOrEqual(2);
    expect(accuracy![0]! - 20).toBeLessThanOrEqual(3);
  });

  it('is told with the metric’s own direction, limit and severity', () => {
    const windows = [around(0.9), around(0.7), around(0.68), around(0.69)];
    const verdict = judgeDecay('accuracy', windows, around(0.9), RULE);
    expect(verdict).toMatchObject({ state: 'alarm', severity: 'high', value: 0.69, windows: 3 });
    expect(verdict.limit).toBeLessThan(0.9);
    expect(verdict.reference).toEqual({ kind: 'holdout', value: 0.9, rows: 500 });
    expect(judgeDecay('accuracy', [around(0.97)], around(0.9), RULE).state).toBe('ok');
    expect(judgeDecay('brier', [around(0.97)], around(0.9, 0.2), RULE).state).toBe('ok');
  });

  it('is seen where all rows are alike and show no spread, by chance or because nothing is right any more', () => {
    const alike = (value: number, rows = 60) => around(value, 0, rows);
    const good = [alike(1), alike(1)];
    expect(judgeDecay('ndcg_at_10', good, alike(1), RULE).state).toBe('ok');
    // Rows held out of which all were right do not promise that none will ever be wrong.
    expect(judgeDecay('ndcg_at_10', [...good, around(0.985, 0.03, 60)], alike(1), RULE).state).toBe('ok');
    expect(judgeDecay('ndcg_at_10', [...good, alike(0)], alike(1), RULE)).toMatchObject({ state: 'alarm', value: 0 });
    expect(judgeDecay('ndcg_at_10', [alike(0)], around(0.2, 0.02), RULE).state).toBe('alarm');
    expect(judgeDecay('mae', [alike(2)], alike(2), RULE).state).toBe('ok');
    expect(judgeDecay('mae', [alike(2), alike(3)], around(2), RULE).state).toBe('alarm');
    expect(judgeDecay('mae', [alike(2), alike(1)], around(2), RULE).state).toBe('ok');
  });

  it('is unknown, with the reason, where it cannot be told', () => {
    expect(judgeDecay('coverage', [around(0.9)], around(0.9), RULE)).toMatchObject({
      state: 'unknown',
      reason: 'no_direction',
    });
    expect(judgeDecay('mae', [around(2)], undefined, { ...RULE, leastRows: 30 })).toMatchObject({ state: 'unknown' });
    expect(judgeDecay('mae', [around(2, 0.1, 100)], undefined, RULE)).toMatchObject({ reason: 'no_reference' });
    expect(judgeDecay('mae', [around(2), undefined], around(2), RULE)).toMatchObject({
      reason: 'too_few_truths',
      value: null,
    });
    expect(judgeDecay('mae', [around(2, 0.5, 12)], around(2), RULE)).toMatchObject({
      reason: 'too_few_truths',
      value: 2,
    });
    expect(judgeDecay('mae', [], around(2), RULE).state).toBe('unknown');
  });

  it('is held against the first windows of the version where training left no figure', () => {
    const windows = [
      ...Array.from({ length: 3 }, () => around(2, 0.1, 250)),
      ...Array.from({ length: 4 }, () => around(3, 0.1, 250)),
    ];
    expect(judgeDecay('mae', windows, undefined, RULE)).toMatchObject({
      state: 'alarm',
      reference: { kind: 'first_windows', value: 2, rows: 500 },
    });
  });
});

describe('a gap between groups', () => {
  const rule = { leastRows: 30, mostGap: 0.1, alpha: 0.001 };
  it('is an alarm only beyond chance, and unknown with few rows', () => {
    expect(judgeGap({ hits: 500, rows: 1000 }, { hits: 2000, rows: 5000 }, rule).state).toBe('ok');
    expect(judgeGap({ hits: 700, rows: 1000 }, { hits: 2000, rows: 5000 }, rule)).toMatchObject({
      state: 'alarm',
      severity: 'high',
    });
    expect(judgeGap({ hits: 28, rows: 50 }, { hits: 2000, rows: 5000 }, rule).state).toBe('suspect');
    expect(judgeGap({ hits: 10, rows: 10 }, { hits: 0, rows: 5000 }, rule)).toMatchObject({
      state: 'unknown',
      gap: null,
    });
    expect(judgeGap({ hits: 100, rows: 1000 }, { hits: 2000, rows: 5000 }, rule)).toMatchObject({
      state: 'alarm',
      gap: expect.closeTo(-0.3, 9),
    });
  });
});
