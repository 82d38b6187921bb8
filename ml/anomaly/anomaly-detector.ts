import type { FeatureMatrix } from '../matrix.js';
import { conformalPValue } from './conformal-p-value.js';
import { ecodScore, ecodScores, fitEcod, tailOf, type Ecod } from './ecod.js';
import {
  fitIsolationForest,
  scoreIsolationForest,
  scoreIsolationForestRow,
  type IsolationForest,
  type IsolationForestInput,
} from './isolation-forest.js';

/** Two detectors that fail differently, put on one scale. */
export interface AnomalyDetector {
  readonly forest: IsolationForest;
  readonly ecod: Ecod;
  /** Scores of the rows it was fitted on, ascending: a detector's score counts by its rank among them. */
  readonly forestScores: Float64Array;
  readonly ecodScores: Float64Array;
}

/** What the detector says of one row. */
export interface AnomalyVerdict {
  /** Larger is odder: the mean over both detectors of -log10 of the share of training rows that are at least as odd. */
  score: number;
  /** By column how far out its value lies: -log10 of the share of training values at least as far out, and on which side. */
  columns: { score: number; side: 'low' | 'high' }[];
}

/** So many ranks are kept of each detector. */
const MOST_RANKS = 20_000;
/** Rows of one rank are still ordered by the forest, by so little that no rank is overtaken. */
const TIE_BREAK = 1e-6;

/**
 * Fits an isolation forest, which finds odd combinations, and ECOD, which finds far-out values and says in which column.
 * @throws RangeError for an empty matrix or parameters out of range
 */
export function fitAnomalyDetector(x: FeatureMatrix, parameters: Omit<IsolationForestInput, 'x'>): AnomalyDetector {
  const forest = fitIsolationForest({ x, ...parameters });
  const ecod = fitEcod(x);
  return {
    forest,
    ecod,
    forestScores: ranksOf(scoreIsolationForest(forest, x)),
    ecodScores: ranksOf(ecodScores(ecod, x)),
  };
}

function ranksOf(scores: Float64Array): Float64Array {
  const sorted = scores.slice().sort();
  if (sorted.length <= MOST_RANKS) return sorted;
  return Float64Array.from(
    { length: MOST_RANKS },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (MOST_RANKS - 1))]!,
  );
}

/** @param row one number a column, NaN = missing */
export function anomalyScore(detector: AnomalyDetector, row: Float64Array): number {
  const byForest = scoreIsolationForestRow(detector.forest, row);
  const byEcod = ecodScore(detector.ecod, row);
  return combine(detector, byForest, byEcod);
}

function combine({ forestScores, ecodScores: ecodRanks }: AnomalyDetector, byForest: number, byEcod: number): number {
  const forestRank = -Math.log10(conformalPValue(forestScores, byForest));
  const ecodRank = -Math.log10(conformalPValue(ecodRanks, byEcod));
  // Where the ranks end, ECOD's own logarithms go on: a value far beyond all others must not drown in an ordinary combination.
  const beyond = Math.max(0, byEcod - ecodRanks[ecodRanks.length - 1]!) / Math.LN10;
  return (forestRank + ecodRank + beyond) / 2 + TIE_BREAK * byForest;
}

/** The score of every row of a matrix. */
export function anomalyScores(detector: AnomalyDetector, x: FeatureMatrix): Float64Array {
  const byForest = scoreIsolationForest(detector.forest, x);
  const byEcod = ecodScores(detector.ecod, x);
  return byForest.map((score, row) => combine(detector, score, byEcod[row]!));
}

/** The score of a row with the part of each column. */
export function judgeRow(detector: AnomalyDetector, row: Float64Array): AnomalyVerdict {
  return {
    score: anomalyScore(detector, row),
    columns: detector.ecod.columns.map((column, index) => {
      const { seen, side } = tailOf(column, row[index]!);
      return { score: seen / Math.LN10, side };
    }),
  };
}
