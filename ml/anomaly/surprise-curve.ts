import { fitExponentialTail, paretoSurprise } from './pareto-tail.js';
import type { ParetoTail } from './pareto-tail.js';

/** Turns a detector's scores into surprise, so that detectors with scales of their own can be compared. */
export interface SurpriseCurve {
  /** Scores, strictly ascending. */
  readonly scores: Float64Array;
  /** -ln of the share of training rows that score at least as much, ascending. */
  readonly surprises: Float64Array;
  readonly tail: ParetoTail;
}

const TAIL_SHARE = 0.05;
const KNOTS = 512;

/**
 * The surprise of each score: -ln of the share of training rows that score at least as much, in nats, where that share is
 * above 5 %; beyond, an exponential law with the mean excess of that tail goes on, so that how far out a score lies counts and
 * not only its rank. The law is the same for every detector: one with a heavy tail, which sets few rows far apart from all others,
 * is thereby believed where it does so.
 * @param trainingScores at least one, without NaN
 * @throws RangeError without scores
 */
export function fitSurpriseCurve(trainingScores: Float64Array): SurpriseCurve {
  if (trainingScores.length === 0) throw new RangeError('a surprise curve needs at least one score');
  const sorted = trainingScores.slice().sort();
  const rows = sorted.length;
  const tail = fitExponentialTail(sorted, TAIL_SHARE);
  const scores: number[] = [];
  const surprises: number[] = [];
  for (let k = 0; k <= KNOTS; k++) {
    const at = Math.round((k / KNOTS) * (rows - 1));
    const score = sorted[at]!;
    if (score > tail.threshold) break;
    if (score === scores.at(-1)) continue;
    scores.push(score);
    surprises.push(-Math.log((rows - firstOf(sorted, score)) / rows));
  }
  if (scores.at(-1) !== tail.threshold) {
    scores.push(tail.threshold);
    surprises.push(-Math.log((rows - firstOf(sorted, tail.threshold)) / rows));
  }
  return { scores: Float64Array.from(scores), surprises: Float64Array.from(surprises), tail };
}

/** The surprise of one score, in nats: 0 for the most ordinary, 4.6 for one in a hundred, 9.2 for one in ten thousand. */
export function surpriseOf(curve: SurpriseCurve, score: number): number {
  const { scores, surprises, tail } = curve;
  const last = scores.length - 1;
  if (score >= scores[last]!) {
    const atThreshold = tail.scale > 0 ? Math.max(surprises[last]!, -Math.log(TAIL_SHARE)) : surprises[last]!;
    return score > scores[last]! ? atThreshold + paretoSurprise(tail, score, tail.threshold) : surprises[last]!;
  }
  if (!(score > scores[0]!)) return surprises[0]!;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (scores[middle]! <= score) low = middle;
    else high = middle;
  }
  const share = (score - scores[low]!) / (scores[high]! - scores[low]!);
  return surprises[low]! + share * (surprises[high]! - surprises[low]!);
}

/** First place of a value in an ascending list that holds it. */
function firstOf(sorted: Float64Array, value: number): number {
  let low = -1;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle;
    else high = middle;
  }
  return high;
}
