/**
 * A dense table of numbers, stored column by column: `values[column * rows + row]`.
 * `NaN` means "missing". Every learner in `ml/` takes its inputs in this shape.
 */
export interface FeatureMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** The rows of a matrix, in the given order. */
export function takeRows(x: FeatureMatrix, rows: Uint32Array): FeatureMatrix {
  const values = new Float64Array(rows.length * x.columns);
  for (let column = 0; column < x.columns; column++) {
    const from = column * x.rows;
    const to = column * rows.length;
    for (let index = 0; index < rows.length; index++) values[to + index] = x.values[from + rows[index]!]!;
  }
  return { rows: rows.length, columns: x.columns, values };
}
