import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseCostThreshold } from '../../../ml/evaluate/cost-threshold.js';
import { createPrng } from '../../../ml/random/prng.js';

function calibratedRows(rows: number, seed: number): { probabilities: Float64Array; labels: Uint8Array } {
  const prng = createPrng(seed);
  const probabilities = Float64Array.from({ length: rows }, () => prng.next());
  const labels = Uint8Array.from(probabilities, (p) => (prng.next() < p ? 1 : 0));
  return { probabilities, labels };
}

describe('a threshold by costs', () => {
  it('is fp / (fp + fn) and agrees with calibrated probabilities', () => {
    const rows = calibratedRows(4000, 1);
    const found = chooseCostThreshold({ ...rows, costs: { false_positive: 1, false_negative: 4 }, seed: 0 });
    expect(found.threshold).toBe(0.2);
    expect(found.agrees).toBe(true);
    expect(found.cheapestInterval.lower).toBeLessThanOrEqual(0.2);
    expect(found.cheapestInterval.upper).toBeGreaterThanOrEqual(0.2);
    // ∫ over p of the cheaper error: below 0.2 a positive is missed (4p), above a negative is acted on (1 - p): 0.08 + 0.32.
    expect(found.costs.atThreshold.costPer1000).toBeGreaterThan(370);
    expect(found.costs.atThreshold.costPer1000).toBeLessThan(430);
    expect(found.costs.always.costPer1000).toBeCloseTo((1000 * (4000 - found.positives)) / 4000, 9);
    expect(found.costs.never.costPer1000).toBeCloseTo((4000 * found.positives) / 4000, 9);
    expect(found.costs.never.actedOn).toBe(0);
    expect(found.costs.always.actedOn).toBe(1);
  });

  it('disagrees where the probabilities are not calibrated', () => {
    const { probabilities, labels } = calibratedRows(4000, 2);
    const stated = probabilities.map((p) => p ** 3);
    const found = chooseCostThreshold({
      probabilities: stated,
      labels,
      costs: { false_positive: 1, false_negative: 1 },
      seed: 0,
    });
    expect(found.agrees).toBe(false);
    // The third power of one half.
    expect(found.cheapestOnRows).toBeGreaterThan(0.05);
    expect(found.cheapestOnRows).toBeLessThan(0.25);
  });

  it('raises a false alarm about calibrated probabilities in at most 5 % of tables or so', () => {
    let alarms = 0;
    for (let seed = 0; seed < 60; seed++) {
      const rows = calibratedRows(300, 100 + seed);
      if (!chooseCostThreshold({ ...rows, costs: { false_positive: 1, false_negative: 3 }, seed }).agrees) alarms++;
    }
    // One-sided 2.5 % by design: 6 or more of 60 have a chance of 0.4 %.
    expect(alarms).toBeLessThan(6);
  });

  it('finds the cheapest threshold on the rows, as trying each would', () => {
    const row = fc.record({ p: fc.constantFrom(0, 0.1, 0.3, 0.3, 0.5, 0.9, 1), label: fc.nat(1) });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 30 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 3 }),
        (rows, fp, fn) => {
          const probabilities = Float64Array.from(rows, ({ p }) => p);
          const labels = rows.map(({ label }) => label);
          const found = chooseCostThreshold({
            probabilities,
            labels,
            costs: { false_positive: fp, false_negative: fn },
            seed: 0,
          });
          const costAt = (t: number): number =>
            rows.reduce((sum, { p, label }) => sum + (p >= t ? (1 - label) * fp : label * fn), 0);
          const tried = [...probabilities, Infinity].map(costAt);
          const never = found.cheapestOnRows === 1 ? costAt(Infinity) : Infinity;
          expect(Math.min(costAt(found.cheapestOnRows), never)).toBe(Math.min(...tried));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('handles one row, one class, and refuses what is no cost, probability or label', () => {
    const costs = { false_positive: 1, false_negative: 1 };
    const one = chooseCostThreshold({ probabilities: Float64Array.of(0.4), labels: [1], costs, seed: 0 });
    expect(one.costs.atThreshold.costPer1000).toBe(1000);
    const call =
      (probabilities: number[], labels: number[], c = costs) =>
      () =>
        chooseCostThreshold({ probabilities: Float64Array.from(probabilities), labels, costs: c, seed: 0 });
    expect(call([0.1], [0], { false_positive: 0, false_negative: 0 })).toThrow(/not both 0/);
    expect(call([0.1], [0], { false_positive: -1, false_negative: 1 })).toThrow(/got -1 for a false positive/);
    expect(call([1.1], [0])).toThrow(/probability of row 0 is 1.1/);
    expect(call([0.1, 0.2], [0, 2])).toThrow(/label of row 1 is 2/);
    expect(call([], [])).toThrow(/got none/);
  });
});
