import { quantileOfSorted } from './bootstrap.js';
import { rocArea } from './roc.js';

/** What is predicted. */
export type ScoredTask = { kind: 'classification'; classes: number } | { kind: 'regression' };

/** Most bins a number is cut into; each has at least `LEAST_BIN_ROWS` training rows. */
const MOST_BINS = 100;
const LEAST_BIN_ROWS = 5;
/** Rows of prior belief in each bin: without them a category with one row would predict that row's class for certain. */
const PRIOR_ROWS = 1;

/**
 * How well one column predicts the target by itself: the training rows' mean target in each of its bins (a line too, for a
 * regression), judged on held-out rows.
 * @param cells one number a row, NaN = missing, which is a bin of its own
 * @param isHeldOut 1 = judged, 0 = learnt from
 * @returns the area under the ROC curve (mean of one class against the rest), or R² (at least 0); NaN where held-out rows are all
 * of one class or value, or either side is empty
 */
export function scoreSingleColumn(
  cells: Float64Array,
  targets: Float64Array,
  isHeldOut: ArrayLike<number>,
  task: ScoredTask,
  isCategory: boolean,
): number {
  const training = Int32Array.from(cells.keys()).filter((row) => isHeldOut[row] === 0);
  const held = Int32Array.from(cells.keys()).filter((row) => isHeldOut[row] !== 0);
  if (training.length === 0 || held.length === 0) return NaN;
  const binOf = isCategory ? (value: number) => value : cutIntoBins(training, cells);
  if (task.kind === 'regression') {
    const byBin = determination(predictByBins(cells, targets, training, held, binOf), targets, held);
    if (isCategory || Number.isNaN(byBin)) return Math.max(0, byBin);
    return Math.max(0, byBin, determination(predictByLine(cells, targets, training, held), targets, held));
  }
  let sum = 0;
  let used = 0;
  for (let c = task.classes === 2 ? 1 : 0; c < task.classes; c++) {
    const isClass = targets.map((target) => (target === c ? 1 : 0));
    const { area } = rocArea(
      predictByBins(cells, isClass, training, held, binOf),
      Uint8Array.from(held, (row) => isClass[row]!),
    );
    if (Number.isNaN(area)) continue;
    sum += area;
    used++;
  }
  return used > 0 ? sum / used : NaN;
}

/** Quantile bins of the training rows as a function from value to bin. */
function cutIntoBins(training: Int32Array, cells: Float64Array): (value: number) => number {
  const sorted = Float64Array.from(training, (row) => cells[row]!)
    .filter((value) => value === value)
    .sort();
  const bins = Math.max(1, Math.min(MOST_BINS, Math.floor(sorted.length / LEAST_BIN_ROWS)));
  const edges = [...new Set(Array.from({ length: bins - 1 }, (_, i) => quantileOfSorted(sorted, (i + 1) / bins)))];
  return (value) => {
    if (value !== value) return NaN;
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function predictByBins(
  cells: Float64Array,
  targets: Float64Array,
  training: Int32Array,
  held: Int32Array,
  binOf: (value: number) => number,
): Float64Array {
  const sums = new Map<number, { sum: number; rows: number }>();
  let total = 0;
  for (const row of training) {
    const bin = binOf(cells[row]!);
    const found = sums.get(bin) ?? { sum: 0, rows: 0 };
    found.sum += targets[row]!;
    found.rows++;
    sums.set(bin, found);
    total += targets[row]!;
  }
  const prior = total / training.length;
  return Float64Array.from(held, (row) => {
    const found = sums.get(binOf(cells[row]!));
    return found ? (found.sum + PRIOR_ROWS * prior) / (found.rows + PRIOR_ROWS) : prior;
  });
}

/** Least squares on one column; missing values get the mean target. */
function predictByLine(
  cells: Float64Array,
  targets: Float64Array,
  training: Int32Array,
  held: Int32Array,
): Float64Array {
  const known = training.filter((row) => Number.isFinite(cells[row]!));
  const centre = (values: Float64Array): number => known.reduce((sum, row) => sum + values[row]! / known.length, 0);
  const middle = centre(cells);
  const level = known.length > 0 ? centre(targets) : 0;
  let squares = 0;
  let products = 0;
  for (const row of known) {
    squares += (cells[row]! - middle) ** 2;
    products += (cells[row]! - middle) * (targets[row]! - level);
  }
  const slope = squares > 0 && Number.isFinite(products / squares) ? products / squares : 0;
  return Float64Array.from(held, (row) =>
    Number.isFinite(cells[row]!) && slope !== 0 ? level + slope * (cells[row]! - middle) : level,
  );
}

/** R² against the held-out rows' own mean. */
function determination(predictions: Float64Array, targets: Float64Array, held: Int32Array): number {
  const middle = held.reduce((sum, row) => sum + targets[row]! / held.length, 0);
  let errors = 0;
  let spread = 0;
  held.forEach((row, i) => {
    errors += (targets[row]! - predictions[i]!) ** 2;
    spread += (targets[row]! - middle) ** 2;
  });
  return spread > 0 ? 1 - errors / spread : NaN;
}
