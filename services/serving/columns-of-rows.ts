import type { ShapedPrediction } from '../../core/kinds/shaped-prediction.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import { cellOf, partsOf } from './column-row.js';
import type { AnswerColumn } from './scorer.js';

/** Rows that all have the same features, as columns. */
export interface RowsAsColumns {
  columns: BatchColumn[];
  /** Absent where no row names an entity. */
  entities: BatchColumn | undefined;
}

/**
 * Rows as columns, so that they are encoded, answered and logged without a visit a row for each. Values stay what they were: only a
 * column of nothing but numbers becomes numbers.
 * @returns undefined where rows differ in their features or in the order of these, or have options: such rows are read one by one
 */
export function columnsOfRows(inputs: readonly PredictInput[]): RowsAsColumns | undefined {
  const names = Object.keys(inputs[0]?.features ?? {});
  let isNamed = false;
  for (const { features, options, entityId } of inputs) {
    if (options !== undefined || !hasNames(features, names)) return undefined;
    isNamed ||= entityId !== undefined;
  }
  return {
    columns: names.map((name) => columnOf(name, inputs)),
    entities: isNamed
      ? { name: 'entity_id', kind: 'values', values: inputs.map(({ entityId }) => entityId ?? null) }
      : undefined,
  };
}

function hasNames(features: PredictInput['features'], names: readonly string[]): boolean {
  let at = 0;
  for (const name in features) if (name !== names[at++]) return false;
  return at === names.length;
}

function columnOf(name: string, inputs: readonly PredictInput[]): BatchColumn {
  const values = new Float64Array(inputs.length);
  for (let row = 0; row < inputs.length; row++) {
    const value = inputs[row]!.features[name];
    if (typeof value !== 'number')
      return { name, kind: 'values', values: inputs.map(({ features }) => features[name]) };
    values[row] = value;
  }
  return { name, kind: 'numbers', values };
}

/** The answers of columns row by row, in the shape that single answers have. */
export function shapeColumns(columns: readonly AnswerColumn[], rows: number): ShapedPrediction[] {
  const parts = columns.map((column) => ({ column, ...partsOf(column.name) }));
  return Array.from({ length: rows }, (_, row) => {
    const shaped: ShapedPrediction = { predictions: {}, confidence_scores: {} };
    for (const { column, head, outer, inner } of parts) {
      if (head !== undefined) shaped.confidence_scores[head] = cellOf(column, row) as number;
      else if (outer === undefined) shaped.predictions[column.name] = cellOf(column, row);
      else ((shaped.predictions[outer] ??= {}) as Record<string, unknown>)[inner!] = cellOf(column, row);
    }
    return shaped;
  });
}
