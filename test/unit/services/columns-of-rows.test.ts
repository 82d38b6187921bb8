import { describe, expect, it } from 'vitest';
import type { PredictInput } from '../../../core/schemas/prediction.js';
import { columnsOfRows, shapeColumns } from '../../../services/serving/columns-of-rows.js';

const row = (features: PredictInput['features'], more: Partial<PredictInput> = {}): PredictInput => ({
  features,
  explain: false,
  ...more,
});

describe('rows as columns', () => {
  it('keep every value as it came: only columns of nothing but numbers become numbers', () => {
    const rows = [row({ size: 1, plan: 'a', seen: null }, { entityId: 'u1' }), row({ size: -2.5, plan: 7, seen: 3 })];
    expect(columnsOfRows(rows)).toEqual({
      columns: [
        { name: 'size', kind: 'numbers', values: Float64Array.of(1, -2.5) },
        { name: 'plan', kind: 'values', values: ['a', 7] },
        { name: 'seen', kind: 'values', values: [null, 3] },
      ],
      entities: { name: 'entity_id', kind: 'values', values: ['u1', null] },
    });
    expect(columnsOfRows([row({ size: 1 })])!.entities).toBeUndefined();
  });

  it.each([
    ['a feature more', [row({ a: 1 }), row({ a: 1, b: 2 })]],
    ['a feature less', [row({ a: 1, b: 2 }), row({ a: 1 })]],
    ['another order', [row({ a: 1, b: 2 }), row({ b: 2, a: 1 })]],
    ['options', [row({ a: 1 }), row({ a: 1 }, { options: { recent_activities: ['login'] } })]],
  ])('leave rows with %s to be read one by one', (_, rows) => {
    expect(columnsOfRows(rows)).toBeUndefined();
  });
});

it('answers of columns have the shape of single answers, their parts in objects', () => {
  const [first, second] = shapeColumns(
    [
      { name: 'days', kind: 'number', values: Float64Array.of(3, NaN) },
      { name: 'interval.lower', kind: 'number', values: Float64Array.of(1, 2) },
      { name: 'interval.upper', kind: 'number', values: Float64Array.of(5, 6) },
      { name: 'days.confidence', kind: 'number', values: Float64Array.of(0.9, 0.8) },
      { name: 'level', kind: 'category', codes: Int32Array.of(1, 0), classes: ['low', 'high'] },
      { name: 'level.confidence', kind: 'number', values: Float64Array.of(0.7, 0.6) },
    ],
    2,
  );
  expect(first).toEqual({
    predictions: { days: 3, interval: { lower: 1, upper: 5 }, level: 'high' },
    confidence_scores: { days: 0.9, level: 0.7 },
  });
  expect(second!.predictions).toMatchObject({ days: null, level: 'low' });
});
