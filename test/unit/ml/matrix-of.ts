import type { FeatureMatrix } from '../../../ml/matrix.js';

/** A matrix from rows of numbers. */
export function matrixOf(rows: readonly (readonly number[])[]): FeatureMatrix {
  const columns = rows[0]?.length ?? 0;
  const values = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => row.forEach((value, column) => (values[column * rows.length + i] = value)));
  return { rows: rows.length, columns, values };
}

/** One row of a matrix. */
export function rowOf(x: FeatureMatrix, row: number): Float64Array {
  return Float64Array.from({ length: x.columns }, (_, column) => x.values[column * x.rows + row]!);
}
