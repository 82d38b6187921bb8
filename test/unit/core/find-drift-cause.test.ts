import { describe, expect, it } from 'vitest';
import { findDriftCause } from '../../../core/decisions/find-drift-cause.js';
import { adviseOnDrift, type DriftCircumstances } from '../../../core/decisions/triage-drift.js';
import type { CategorySample, ComparedColumn } from '../../../ml/drift/column-drift.js';
import { compareCategories } from '../../../ml/drift/compare-categories.js';
import { compareNumbers } from '../../../ml/drift/compare-numbers.js';
import { createPrng } from '../../../ml/random/prng.js';

const prng = createPrng(3);
const normal = (rows: number, mean = 50, deviation = 10) =>
  Float64Array.from({ length: rows }, () => mean + deviation * prng.nextGaussian());
const reference = normal(4000);

function ofNumbers(values: Float64Array, missing = 0): ComparedColumn {
  const drift = compareNumbers(
    'usage',
    { values: reference.toSorted(), missing: 40 },
    { values: values.toSorted(), missing },
  );
  if (drift.state !== 'compared') throw new Error('there are rows enough');
  return drift;
}

function ofCategories(current: Record<string, number>): ComparedColumn {
  const sample = (counts: Record<string, number>): CategorySample => ({
    counts: new Map(Object.entries(counts)),
    missing: 0,
  });
  const drift = compareCategories('plan', sample({ basic: 400, plus: 300, pro: 300 }), sample(current));
  if (drift.state !== 'compared') throw new Error('there are rows enough');
  return drift;
}

describe('the cause of a drift', () => {
  it('is a change of units where mean, median and spread are all so many times what they were', () => {
    expect(findDriftCause(ofNumbers(normal(800).map((value) => value * 1000)))).toMatchObject({
      cause: 'unit_change',
      factor: 1000,
    });
    expect(findDriftCause(ofNumbers(normal(800).map((value) => value / 1000)))).toMatchObject({ factor: 0.001 });
    expect(findDriftCause(ofNumbers(normal(800).map((value) => value * 60)))).toMatchObject({ factor: 60 });
    expect(findDriftCause(ofNumbers(normal(800, 500, 10))).cause, 'the mean alone is no unit').toBe('mean_shift');
  });

  it.each([
    ['missing_values', normal(400), 400],
    ['constant', new Float64Array(800).fill(50), 8],
    ['mean_shift', normal(800, 56), 8],
    ['changed_spread', normal(800, 50, 25), 8],
    ['changed_shape', Float64Array.from({ length: 800 }, (_, at) => (at % 2 === 0 ? 40 : 60)), 8],
  ])('is told for numbers: %s', (cause, values, missing) => {
    const found = findDriftCause(ofNumbers(values, missing));
    expect(found.cause).toBe(cause);
    expect(found.detail).toMatch(/\d/);
  });

  it.each([
    ['renamed_category', { basic: 400, plus: 300, premium: 300 }, ['pro', 'premium']],
    ['new_category', { basic: 300, plus: 200, pro: 200, gold: 300 }, ['gold']],
    ['lost_category', { basic: 600, plus: 400 }, ['pro']],
    ['category_shares', { basic: 100, plus: 300, pro: 600 }, ['basic']],
  ])('is told for categories: %s', (cause, current, values) => {
    expect(findDriftCause(ofCategories(current as unknown as Record<string, number>))).toMatchObject({ cause, values });
  });
});

describe('the advice on a drift', () => {
  const found: DriftCircumstances = {
    what: 'input',
    cause: { cause: 'mean_shift', detail: '' },
    importance: 0.4,
    season: 'does_not_explain',
    isNewVersion: false,
    hasInputAlarm: false,
    estimates: [],
  };
  const loss = {
    metric: 'accuracy',
    head: 'label',
    reference: 0.9,
    current: 0.8,
    change: -0.1,
    deviation: 0.01,
  } as const;
  const advise = (changed: Partial<DriftCircumstances>) => adviseOnDrift({ ...found, ...changed }).advice;

  it('is to mend what only a pipeline can break, and to retrain where the world has moved', () => {
    expect(advise({ cause: { cause: 'unit_change', detail: '' } })).toBe('fix_upstream');
    expect(advise({})).toBe('retrain');
    expect(adviseOnDrift({ ...found, estimates: [loss] }).because).toContain('0.1');
  });

  it('is to ignore the season, and what the model does not look at unless it expects a loss', () => {
    expect(advise({ season: 'explains' })).toBe('ignore');
    expect(advise({ importance: 0.001 })).toBe('ignore');
    expect(advise({ importance: 0.001, estimates: [loss] })).toBe('retrain');
    expect(advise({ importance: undefined }), 'not measured is not unimportant').toBe('retrain');
  });

  it('is to roll back where answers changed with the version and not with the inputs', () => {
    expect(advise({ what: 'prediction', isNewVersion: true })).toBe('roll_back');
    expect(advise({ what: 'prediction', isNewVersion: true, hasInputAlarm: true })).toBe('ignore');
    expect(advise({ what: 'prediction' })).toBe('retrain');
  });
});
