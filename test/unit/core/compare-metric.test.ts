import { describe, expect, it } from 'vitest';
import { betterDirection, compareMetric } from '../../../core/policy/compare-metric.js';

const at = (value: number, half: number) => ({ value, lower: value - half, upper: value + half });

describe('the difference of two figures', () => {
  it('is told when the interval of the difference leaves zero out, in the direction that is good', () => {
    expect(compareMetric('accuracy', at(0.8, 0.03), at(0.9, 0.04), true)).toMatchObject({ verdict: 'better' });
    expect(compareMetric('log_loss', at(0.4, 0.03), at(0.5, 0.04), true)).toMatchObject({ verdict: 'worse' });
    const { difference, lower, upper } = compareMetric('accuracy', at(0.8, 0.03), at(0.9, 0.04), true);
    expect([difference, lower, upper].map((one) => Math.round(one! * 1000) / 1000)).toEqual([0.1, 0.05, 0.15]);
    expect(compareMetric('accuracy', at(0.8, 0.03), at(0.84, 0.04), true).verdict).toBe('not_told_apart');
  });

  it('keeps a skewed interval skewed', () => {
    const first = { value: 0, lower: 0, upper: 0.3 };
    const second = { value: 0.5, lower: 0.1, upper: 0.5 };
    expect(compareMetric('r2', first, second, true)).toMatchObject({ lower: 0, upper: 0.5 });
  });

  it('says nothing of other rows, of bases, and where something is not known', () => {
    expect(compareMetric('accuracy', at(0.1, 0.01), at(0.9, 0.01), false).verdict).toBe('unknown');
    expect(compareMetric('majority_rate', at(0.1, 0.01), at(0.9, 0.01), true).verdict).toBe('unknown');
    expect(compareMetric('accuracy', undefined, at(0.9, 0.01), true)).toEqual({
      difference: null,
      lower: null,
      upper: null,
      verdict: 'unknown',
    });
    const bare = { value: 0.9, lower: null, upper: null };
    expect(compareMetric('accuracy', at(0.5, 0.01), bare, true)).toMatchObject({ lower: null, verdict: 'unknown' });
    expect(['coverage', 'baseline_mae', 'popular_ndcg_at_10', 'seasonal_naive_mase'].map(betterDirection)).toEqual(
      Array(4).fill(null),
    );
  });
});
