import { averagePrecision } from './metrics.js';

/** What is found, and how much of it is right, when every row with a score of at least `threshold` is taken. */
export interface PrecisionRecallPoint {
  threshold: number;
  precision: number;
  recall: number;
  /** Rows taken. */
  taken: number;
}

/** A curve to be drawn. */
export interface PrecisionRecallCurve {
  /** By falling threshold, so by rising recall. */
  points: PrecisionRecallPoint[];
  /** Null without positives. */
  averagePrecision: number | null;
  /** Share of positives: the precision of taking rows at random. */
  baseRate: number;
}

/**
 * Precision against recall over all thresholds, thinned out to `mostPoints` evenly by recall (the ends stay).
 * @param scores higher = more likely positive
 * @param labels 1 = positive, anything else negative
 * @param mostPoints at least 2, default 200
 * @returns no points without positives
 */
export function precisionRecallCurve(
  scores: Float64Array,
  labels: ArrayLike<number>,
  mostPoints = 200,
): PrecisionRecallCurve {
  if (labels.length !== scores.length)
    throw new RangeError(`there are ${scores.length} scores but ${labels.length} labels: give one a row`);
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const positives = order.reduce((sum, row) => sum + (labels[row] === 1 ? 1 : 0), 0);
  const baseRate = scores.length > 0 ? positives / scores.length : 0;
  if (positives === 0) return { points: [], averagePrecision: null, baseRate };
  const all: PrecisionRecallPoint[] = [];
  let right = 0;
  for (let k = 0; k < order.length; k++) {
    const row = order[k]!;
    if (labels[row] === 1) right++;
    // Rows of equal score are taken together.
    if (k + 1 < order.length && scores[order[k + 1]!] === scores[row]) continue;
    all.push({ threshold: scores[row]!, precision: right / (k + 1), recall: right / positives, taken: k + 1 });
  }
  return { points: thinOut(all, mostPoints), averagePrecision: averagePrecision(scores, labels), baseRate };
}

/** One point a stretch of recall: the last, with the most rows taken. */
function thinOut(points: PrecisionRecallPoint[], most: number): PrecisionRecallPoint[] {
  if (points.length <= most) return points;
  const inner = most - 2;
  const stretchOf = (point: PrecisionRecallPoint): number => Math.floor(point.recall * inner);
  return points.filter(
    (point, i) =>
      i === 0 || i === points.length - 1 || (stretchOf(points[i + 1]!) > stretchOf(point) && stretchOf(point) < inner),
  );
}
