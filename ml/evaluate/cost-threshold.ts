import { bootstrapIntervals, quantileOfSorted, resampledMean } from './bootstrap.js';
import type { Interval } from './bootstrap.js';
import { createPrng, shuffle } from '../random/prng.js';

/** What a wrong answer costs, in any unit of 0 or more; a right one costs nothing. */
export interface ErrorCosts {
  /** Of acting on a row that did not need it. */
  false_positive: number;
  /** Of not acting on a row that did. */
  false_negative: number;
}

/** Expected costs of one rule per 1,000 rows. */
export interface RuleCost extends Interval {
  costPer1000: number;
  /** Share of rows acted on. */
  actedOn: number;
}

/** Which threshold to act from, and what that is worth. */
export interface CostThreshold {
  /** Act on rows whose probability is at least this: false_positive / (false_positive + false_negative). */
  threshold: number;
  /** The cheapest threshold on these very rows, for comparison only: its cost on them is flattering. 1 = never act. */
  cheapestOnRows: number;
  /** Bootstrap ends of the cheapest threshold. */
  cheapestInterval: Interval;
  /**
   * False where a threshold chosen on one half of the rows is cheaper on the other half than `threshold` by more than chance:
   * the probabilities are then not calibrated, and correcting them is worth more than moving the threshold.
   */
  agrees: boolean;
  rows: number;
  positives: number;
  costs: { atThreshold: RuleCost; atHalf: RuleCost; always: RuleCost; never: RuleCost };
}

/** Resamples of the cheapest threshold. */
const RESAMPLES = 200;
/** Thresholds tried are at most so many quantiles of the probabilities. */
const MOST_CANDIDATES = 200;

/**
 * Chooses from which probability on it pays to act. For calibrated probabilities this is false_positive / (false_positive +
 * false_negative) whatever the data (Elkan 2001, "The Foundations of Cost-Sensitive Learning"); the rows only check it.
 * @param probabilities calibrated, of rows that no fit and no calibration has seen
 * @param labels 1 = positive, 0 = negative
 * @param level of the intervals, default 0.95
 * @throws RangeError for costs below 0 or both 0, probabilities outside [0, 1], labels that are neither 0 nor 1, or no rows
 */
export function chooseCostThreshold(input: {
  probabilities: Float64Array;
  labels: ArrayLike<number>;
  costs: ErrorCosts;
  seed: number;
  level?: number;
}): CostThreshold {
  const { probabilities, labels, costs, seed, level = 0.95 } = input;
  check(probabilities, labels, costs);
  const rows = probabilities.length;
  const threshold = costs.false_positive / (costs.false_positive + costs.false_negative);
  const rules = [threshold, 0.5, 0, Infinity];
  const lossesOf = (t: number): Float64Array => probabilities.map((p, row) => lossOf(p >= t, labels[row]!, costs));
  const losses = rules.map(lossesOf);
  const means = losses.map(mean);
  const intervals = bootstrapIntervals(rows, losses.map(resampledMean), means, level, seed);
  const ruleCost = (i: number): RuleCost => ({
    costPer1000: 1000 * means[i]!,
    lower: 1000 * intervals[i]!.lower,
    upper: 1000 * intervals[i]!.upper,
    actedOn: probabilities.reduce((count, p) => count + (p >= rules[i]! ? 1 : 0), 0) / rows,
  });
  const search = createSearch(probabilities, labels, costs);
  const excess = excessOverTuned(search, probabilities, labels, costs, losses[0]!, seed);
  const [excessInterval] = bootstrapIntervals(rows, [resampledMean(excess)], [mean(excess)], level, seed);
  return {
    threshold,
    cheapestOnRows: cheapestThreshold(search, new Float64Array(rows).fill(1)),
    cheapestInterval: resampleCheapest(search, rows, level, seed),
    agrees: !(excessInterval!.lower > 0),
    rows,
    positives: Array.from(labels).reduce((sum, label) => sum + label, 0),
    costs: { atThreshold: ruleCost(0), atHalf: ruleCost(1), always: ruleCost(2), never: ruleCost(3) },
  };
}

/**
 * Mean cost of a row where each fold is acted on from the threshold that is cheapest on the others: what a model is worth to the
 * stated costs, whether or not its numbers are calibrated.
 * @param folds of each row
 */
export function crossFittedCost(input: {
  probabilities: Float64Array;
  labels: ArrayLike<number>;
  folds: ArrayLike<number>;
  costs: ErrorCosts;
}): number {
  const { probabilities, labels, folds, costs } = input;
  check(probabilities, labels, costs);
  const search = createSearch(probabilities, labels, costs);
  let total = 0;
  for (const fold of new Set(Array.from(folds))) {
    const others = Float64Array.from(probabilities, (_, row) => Number(folds[row] !== fold));
    const threshold = cheapestThreshold(search, others);
    for (let row = 0; row < probabilities.length; row++)
      if (folds[row] === fold) total += lossOf(probabilities[row]! >= threshold, labels[row]!, costs);
  }
  return total / probabilities.length;
}

function check(
  probabilities: Float64Array,
  labels: ArrayLike<number>,
  { false_positive, false_negative }: ErrorCosts,
): void {
  const isCost = (cost: number): boolean => cost >= 0 && cost < Infinity;
  if (!isCost(false_positive) || !isCost(false_negative) || false_positive + false_negative === 0)
    throw new RangeError(
      `costs must be 0 or more and not both 0, got ${false_positive} for a false positive and ${false_negative} for a false negative`,
    );
  if (probabilities.length === 0) throw new RangeError('a threshold needs rows to be checked on, got none');
  if (labels.length !== probabilities.length)
    throw new RangeError(`there are ${probabilities.length} probabilities but ${labels.length} labels: give one a row`);
  const wrong = probabilities.findIndex((p) => !(p >= 0 && p <= 1));
  if (wrong >= 0)
    throw new RangeError(`the probability of row ${wrong} is ${probabilities[wrong]}: it must be from 0 to 1`);
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] !== 0 && labels[row] !== 1)
      throw new RangeError(`the label of row ${row} is ${labels[row]}: it must be 1 for positive or 0 for negative`);
  }
}

function lossOf(isActedOn: boolean, label: number, costs: ErrorCosts): number {
  if (isActedOn) return label === 1 ? 0 : costs.false_positive;
  return label === 1 ? costs.false_negative : 0;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** What is needed to find the cheapest threshold for any weights of the rows in one pass. */
interface ThresholdSearch {
  /** Ascending; the last is beyond every probability: never act. */
  candidates: Float64Array;
  /** Per row the count of candidates that act on it. */
  acting: Int32Array;
  labels: ArrayLike<number>;
  costs: ErrorCosts;
}

function createSearch(probabilities: Float64Array, labels: ArrayLike<number>, costs: ErrorCosts): ThresholdSearch {
  const distinct = Float64Array.from(new Set(probabilities)).sort();
  const picked = new Set<number>();
  for (let i = 0; i < MOST_CANDIDATES; i++)
    picked.add(
      distinct[Math.floor((i * distinct.length) / Math.min(MOST_CANDIDATES, distinct.length))] ?? distinct.at(-1)!,
    );
  const candidates = Float64Array.from([...picked, Infinity]).sort();
  const acting = Int32Array.from(probabilities, (p) => {
    let low = 0;
    let high = candidates.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (candidates[middle]! <= p) low = middle + 1;
      else high = middle;
    }
    return low;
  });
  return { candidates, acting, labels, costs };
}

/** The candidate with the least cost over weighted rows, the smallest of equals. */
function cheapestThreshold({ candidates, acting, labels, costs }: ThresholdSearch, weights: ArrayLike<number>): number {
  // From one candidate to the next only the rows between them change sides.
  const change = new Float64Array(candidates.length + 1);
  for (let row = 0; row < acting.length; row++) {
    change[acting[row]!]! += weights[row]! * (labels[row] === 1 ? costs.false_negative : -costs.false_positive);
  }
  let cost = 0;
  let least = Infinity;
  let best = 0;
  for (let k = 0; k < candidates.length; k++) {
    cost += change[k]!;
    if (cost < least) {
      least = cost;
      best = k;
    }
  }
  return Math.min(1, candidates[best]!);
}

function resampleCheapest(search: ThresholdSearch, rows: number, level: number, seed: number): Interval {
  const prng = createPrng(seed, 0x636f7374);
  const found = new Float64Array(RESAMPLES);
  const counts = new Float64Array(rows);
  for (let resample = 0; resample < RESAMPLES; resample++) {
    counts.fill(0);
    for (let i = 0; i < rows; i++) counts[prng.nextInt(rows)]!++;
    found[resample] = cheapestThreshold(search, counts);
  }
  found.sort();
  return { lower: quantileOfSorted(found, (1 - level) / 2), upper: quantileOfSorted(found, (1 + level) / 2) };
}

/** Per row how much more `threshold` costs than the one that is cheapest on the other half of the rows. */
function excessOverTuned(
  search: ThresholdSearch,
  probabilities: Float64Array,
  labels: ArrayLike<number>,
  costs: ErrorCosts,
  losses: Float64Array,
  seed: number,
): Float64Array {
  const order = shuffle(Int32Array.from(losses.keys()), createPrng(seed, 0x68616c66));
  const half = new Uint8Array(losses.length);
  order.forEach((row, i) => (half[row] = i % 2));
  const tuned = [0, 1].map((own) =>
    cheapestThreshold(
      search,
      Float64Array.from(half, (side) => (side === own ? 0 : 1)),
    ),
  );
  return losses.map((loss, row) => loss - lossOf(probabilities[row]! >= tuned[half[row]!]!, labels[row]!, costs));
}
