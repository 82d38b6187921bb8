import { createPrng, shuffle } from '../random/prng.js';
import { quantileOfSorted } from './bootstrap.js';

/** How a model's errors are spread. */
export interface ResidualSummary {
  rows: number;
  /** Mean of target - prediction: above 0 the model says too little. */
  bias: number;
  /** Quantiles of target - prediction. */
  quantiles: { p: number; residual: number }[];
  /** By rising prediction, in tenths of the rows: where the model errs. */
  byPrediction: { prediction: number; meanResidual: number; meanAbsolute: number; rows: number }[];
  /** A sample of rows to be drawn, by rising prediction. */
  points: { prediction: number; residual: number }[];
}

const LEVELS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];
const TENTHS = 10;

/**
 * Sums up the errors of predicted numbers on rows the model has not seen.
 * @param mostPoints rows in the sample, default 500; drawn without replacement
 * @throws RangeError for lists of different lengths, no rows or numbers that are not finite
 */
export function summariseResiduals(input: {
  predictions: Float64Array;
  targets: Float64Array;
  seed: number;
  mostPoints?: number;
}): ResidualSummary {
  const { predictions, targets, seed, mostPoints = 500 } = input;
  const rows = targets.length;
  if (predictions.length !== rows)
    throw new RangeError(`there are ${rows} targets but ${predictions.length} predictions: give one a row`);
  if (rows === 0) throw new RangeError('residuals need rows, got none');
  const residuals = targets.map((target, row) => target - predictions[row]!);
  const wrong = residuals.findIndex((residual) => !Number.isFinite(residual));
  if (wrong >= 0)
    throw new RangeError(
      `row ${wrong} has target ${targets[wrong]} and prediction ${predictions[wrong]}: both must be finite`,
    );
  const sorted = residuals.slice().sort();
  const order = Int32Array.from(residuals.keys()).sort((a, b) => predictions[a]! - predictions[b]! || a - b);
  const rank = new Int32Array(rows);
  order.forEach((row, i) => (rank[row] = i));
  const sample = shuffle(order.slice(), createPrng(seed, 0x72657369))
    .slice(0, mostPoints)
    .sort((a, b) => rank[a]! - rank[b]!);
  return {
    rows,
    bias: mean(residuals),
    quantiles: LEVELS.map((p) => ({ p, residual: quantileOfSorted(sorted, p) })),
    byPrediction: tenthsOf(order, predictions, residuals),
    points: Array.from(sample, (row) => ({ prediction: predictions[row]!, residual: residuals[row]! })),
  };
}

function tenthsOf(
  order: Int32Array,
  predictions: Float64Array,
  residuals: Float64Array,
): ResidualSummary['byPrediction'] {
  const parts = Math.min(TENTHS, order.length);
  return Array.from({ length: parts }, (_, i) => {
    const rows = order.slice(Math.floor((i * order.length) / parts), Math.floor(((i + 1) * order.length) / parts));
    const of = (values: Float64Array): Float64Array => Float64Array.from(rows, (row) => values[row]!);
    return {
      prediction: mean(of(predictions)),
      meanResidual: mean(of(residuals)),
      meanAbsolute: mean(of(residuals).map(Math.abs)),
      rows: rows.length,
    };
  });
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value / values.length;
  return sum;
}
