import { toRegularSeries, type GridRepair } from '../../../ml/forecast/regular-series.js';

/** Columns of one series on the grid of its times. */
export interface GriddedColumns {
  columns: Float64Array[];
  startMs: number;
  repairs: GridRepair[];
}

/**
 * Lays several columns onto one grid, which comes from the times alone: they stay side by side whatever is missing in which.
 * @param columns NaN where a value is missing
 * @returns undefined where the times make no grid
 */
export function layOnGrid(
  times: Float64Array,
  columns: readonly Float64Array[],
  stepMs: number,
): GriddedColumns | undefined {
  const plain = toRegularSeries(times, new Float64Array(times.length), { stepMs });
  if ('refusal' in plain) return undefined;
  const onGrid = (values: Float64Array): Float64Array => {
    const grid = toRegularSeries(times, values, { stepMs });
    return 'refusal' in grid ? new Float64Array(0) : grid.series.values;
  };
  const laid = columns.map((column) => {
    const sums = onGrid(column.map((value) => (Number.isFinite(value) ? value : 0)));
    const shares = onGrid(column.map((value) => (Number.isFinite(value) ? 1 : 0)));
    // The mean of values and gaps of one step becomes the mean of its values.
    return sums.map((sum, step) => (shares[step]! > 0 ? sum / shares[step]! : NaN));
  });
  return { columns: laid, startMs: plain.series.startMs, repairs: plain.repairs };
}
