import type { FeatureMatrix } from '../matrix.js';
import { ecodScores, ecodTrainingScores, fitEcod, scoreEcodRow, type Ecod } from './ecod.js';
import {
  fitIsolationForest,
  isolationContributions,
  scoreIsolationForest,
  scoreIsolationForestRow,
  type IsolationForest,
} from './isolation-forest.js';
import { reconstructionParts, reconstructionSurprise, type ReconstructionView } from './reconstruction-view.js';
import { fitSurpriseCurve, surpriseOf, type SurpriseCurve } from './surprise-curve.js';
import { columnTails } from './tail-table.js';

/**
 * Several views of what is odd in a table: the tails of the columns (ECOD), and isolation forests of small, middle and large
 * samples, which see coarse, middle and fine structure. The training rows turn each view's scores into surprise, and a row is as
 * odd as its most surprising view says: one that sees nothing cannot hide what another sees, and nothing has to be chosen for a
 * table without labels.
 */
export interface AnomalyDetector {
  readonly ecod: Ecod;
  readonly forests: readonly IsolationForest[];
  /** Of ECOD, then of each forest. */
  readonly curves: readonly SurpriseCurve[];
  /** Where an autoencoder looks too. It has a file of its own: `encodeDetector` leaves it out. */
  readonly reconstruction?: ReconstructionView;
}

export interface AnomalyParameters {
  seed: number;
  /** Trees of each forest; 100 by default. */
  trees?: number;
  /** Rows that each tree of a forest sees, one forest each; 64, 256 and 1,024 by default. */
  sampleSizes?: readonly number[];
  onProgress?: (share: number) => void;
}

/** What the detector says of one row. */
export interface AnomalyVerdict {
  /** In nats, larger is odder: -ln of the share of training rows that surprise the most surprised view at least as much. */
  score: number;
  columns: ColumnVerdict[];
}

export interface ColumnVerdict {
  /** How far out the value lies: -log10 of the share of training values at least as far out, at most log10 of their count. */
  score: number;
  side: 'low' | 'high';
}

/**
 * Fits the views.
 * @throws RangeError for a matrix without rows or columns, infinite values, or parameters out of range
 */
export function fitAnomalyDetector(x: FeatureMatrix, parameters: AnomalyParameters): AnomalyDetector {
  const { seed, trees = 100, sampleSizes = [64, 256, 1024], onProgress } = parameters;
  const ecod = fitEcod(x);
  const curves = [fitSurpriseCurve(ecodTrainingScores(ecod, x))];
  // Of few rows several sizes would be the same forest again.
  const sizes = [...new Set(sampleSizes.map((size) => Math.min(size, Math.max(2, x.rows))))];
  const forests = sizes.map((sampleSize, index) => {
    const forest = fitIsolationForest({ x, seed: seed + index, trees, sampleSize });
    curves.push(fitSurpriseCurve(scoreIsolationForest(forest, x)));
    onProgress?.((index + 1) / sizes.length);
    return forest;
  });
  return { ecod, forests, curves };
}

/** How odd a row is that was not fitted on; see `AnomalyVerdict`. @param row one number a column, NaN = missing */
export function anomalyScore(detector: AnomalyDetector, row: ArrayLike<number>): number {
  const { ecod, forests, curves, reconstruction } = detector;
  let most = surpriseOf(curves[0]!, scoreEcodRow(ecod, row));
  for (let k = 0; k < forests.length; k++)
    most = Math.max(most, surpriseOf(curves[k + 1]!, scoreIsolationForestRow(forests[k]!, row)));
  return reconstruction ? Math.max(most, reconstructionSurprise(reconstruction, row)) : most;
}

/**
 * The score of every row of a matrix.
 * @param options.isTraining the rows are those that the detector was fitted on
 * @throws RangeError for another number of columns
 */
export function anomalyScores(
  detector: AnomalyDetector,
  x: FeatureMatrix,
  options: { isTraining?: boolean } = {},
): Float64Array {
  const { ecod, forests, curves, reconstruction } = detector;
  const byEcod = options.isTraining ? ecodTrainingScores(ecod, x) : ecodScores(ecod, x);
  const out = byEcod.map((score) => surpriseOf(curves[0]!, score));
  forests.forEach((forest, k) => {
    scoreIsolationForest(forest, x).forEach((score, row) => {
      out[row] = Math.max(out[row]!, surpriseOf(curves[k + 1]!, score));
    });
  });
  if (!reconstruction) return out;
  const row = new Float64Array(x.columns);
  for (let at = 0; at < x.rows; at++) {
    for (let column = 0; column < x.columns; column++) row[column] = x.values[column * x.rows + at]!;
    out[at] = Math.max(out[at]!, reconstructionSurprise(reconstruction, row));
  }
  return out;
}

/** The score of a row, and how far out each column lies. */
export function judgeRow(detector: AnomalyDetector, row: ArrayLike<number>): AnomalyVerdict {
  const columns = detector.ecod.columns.map((table, column): ColumnVerdict => {
    const { low, high } = columnTails(table, row[column]!);
    return { score: Math.max(low, high) / Math.LN10, side: low > high ? 'low' : 'high' };
  });
  return { score: anomalyScore(detector, row), columns };
}

/**
 * Each column's part in the oddity of a row, 0 to 1, by the ways of looking: how much further out in its tails the value lies than
 * the average value, how many cuts it saves, and how badly it is rebuilt. Each is brought to a sum of 1 over the columns that speak
 * against the row, and they are weighed by how surprised ECOD, the most surprised forest and the autoencoder are. They sum to 1, or
 * are all 0 where nothing speaks against the row.
 */
export function columnShares(detector: AnomalyDetector, row: ArrayLike<number>): Float64Array {
  const { ecod, forests, curves, reconstruction } = detector;
  const tails = new Float64Array(ecod.columns.length);
  const tailSurprise = surpriseOf(curves[0]!, scoreEcodRow(ecod, row, tails));
  for (let column = 0; column < tails.length; column++) tails[column]! -= ecod.columns[column]!.average;
  let chosen: IsolationForest | undefined;
  let forestSurprise = 0;
  forests.forEach((forest, k) => {
    const surprise = surpriseOf(curves[k + 1]!, scoreIsolationForestRow(forest, row));
    if (surprise <= forestSurprise) return;
    forestSurprise = surprise;
    chosen = forest;
  });
  const cuts = new Float64Array(tails.length);
  if (chosen) isolationContributions(chosen, row, cuts);
  const tailWeight = toShares(tails) ? tailSurprise : 0;
  const cutWeight = toShares(cuts) ? forestSurprise : 0;
  const rebuilt = reconstruction ? reconstructionParts(reconstruction, row) : new Float64Array(tails.length);
  const rebuiltWeight = toShares(rebuilt) && reconstruction ? reconstructionSurprise(reconstruction, row) : 0;
  const total = tailWeight + cutWeight + rebuiltWeight;
  return tails.map((share, column) =>
    total > 0 ? (tailWeight * share + cutWeight * cuts[column]! + rebuiltWeight * rebuilt[column]!) / total : 0,
  );
}

/** Leaves the positive values, as shares of their sum. @returns whether there are any */
function toShares(values: Float64Array): boolean {
  let sum = 0;
  for (const value of values) sum += Math.max(0, value);
  for (let k = 0; k < values.length; k++) values[k] = sum > 0 ? Math.max(0, values[k]!) / sum : 0;
  return sum > 0;
}
