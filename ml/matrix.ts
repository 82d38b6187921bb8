/**
 * A dense table of numbers, stored column by column: `values[column * rows + row]`.
 * `NaN` means "missing". Every learner in `ml/` takes its inputs in this shape.
 */
export interface FeatureMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}
