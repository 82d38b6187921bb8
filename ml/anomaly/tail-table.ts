import { fitParetoTail, paretoSurprise } from './pareto-tail.js';
import type { ParetoTail } from './pareto-tail.js';

/** How many training values of one column lie below and above any value. */
export interface TailTable {
  /** Values that were not missing. */
  readonly count: number;
  /** Distinct values, ascending. */
  readonly knots: Float64Array;
  /** Training values below each knot, and at most as large as it. */
  readonly below: Uint32Array;
  readonly atOrBelow: Uint32Array;
  /** Sign of the column's skewness; 0 for an even one, whose tails count together. */
  readonly skew: -1 | 0 | 1;
  /** Beyond the greatest value, and beyond the least (of the negated values). */
  readonly upper: ParetoTail;
  readonly lower: ParetoTail;
  /** Mean contribution of the training values, which is what a missing one counts. */
  readonly average: number;
}

/** Share of the values that the tails beyond the extremes are fitted on. */
const TAIL_SHARE = 0.05;

/** @param values one column; NaN for missing */
export function fitTailTable(values: Float64Array, maxKnots: number): TailTable {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const count = sorted.length;
  if (count === 0) return EMPTY;
  const distinct: number[] = [];
  for (let i = 0; i < count; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) distinct.push(i);
  const kept = distinct.length <= maxKnots ? distinct : thin(distinct, maxKnots);
  const knots = Float64Array.from(kept, (at) => sorted[at]!);
  const below = Uint32Array.from(kept);
  const atOrBelow = Uint32Array.from(kept, (at) => endOfRun(sorted, at));
  const table: TailTable = {
    count,
    knots,
    below,
    atOrBelow,
    skew: skewSign(sorted),
    upper: fitParetoTail(sorted, TAIL_SHARE),
    lower: fitParetoTail(sorted.map((value) => -value).reverse(), TAIL_SHARE),
    average: 0,
  };
  let sum = 0;
  for (const value of sorted) sum += tableContribution(table, value, false);
  return { ...table, average: sum / count };
}

const NO_TAIL: ParetoTail = { threshold: 0, shape: 0, scale: 0 };
const EMPTY: TailTable = {
  count: 0,
  knots: new Float64Array(),
  below: new Uint32Array(),
  atOrBelow: new Uint32Array(),
  skew: 0,
  upper: NO_TAIL,
  lower: NO_TAIL,
  average: 0,
};

/** Keeps the outermost quarter on each side, where single values matter, and evenly spaced ones between. */
function thin(distinct: readonly number[], most: number): number[] {
  const edge = most >> 2;
  const middle = most - 2 * edge;
  const span = distinct.length - 2 * edge;
  const kept = distinct.slice(0, edge);
  for (let k = 0; k < middle; k++) kept.push(distinct[edge + Math.floor(((k + 0.5) * span) / middle)]!);
  return [...kept, ...distinct.slice(-edge)];
}

/** First place after the run of equal values that begins at `at`. */
function endOfRun(sorted: Float64Array, at: number): number {
  let low = at;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! > sorted[at]!) high = middle;
    else low = middle;
  }
  return high;
}

function skewSign(values: Float64Array): -1 | 0 | 1 {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let third = 0;
  let size = 0;
  for (const value of values) {
    const cube = (value - mean) ** 3;
    third += cube;
    size += Math.abs(cube);
  }
  // Of an even distribution rounding alone would choose a side.
  if (!(Math.abs(third) > 1e-9 * size)) return 0;
  return third > 0 ? 1 : -1;
}

/** What a value adds to a row's score: the larger of its tails, or of an even column, which has no longer side, both. */
export function tableContribution(table: TailTable, value: number, isNew: boolean): number {
  if (table.count === 0 || Number.isNaN(value)) return table.average;
  const low = tail(table, value, isNew, true);
  const high = tail(table, value, isNew, false);
  return table.skew === 0 ? low + high : Math.max(low, high);
}

/**
 * How far out a value lies that was not fitted on: -ln of the share of values at most as large, and at least as large. Beyond all that
 * was seen both stay at ln(count + 1), so that columns can be compared by what was seen alone.
 */
export function columnTails(table: TailTable, value: number): { low: number; high: number } {
  if (table.count === 0 || Number.isNaN(value)) return { low: 0, high: 0 };
  const most = Math.log(table.count + 1);
  return {
    low: Math.min(most, tail(table, value, true, true)),
    high: Math.min(most, tail(table, value, true, false)),
  };
}

function tail(table: TailTable, value: number, isNew: boolean, isLow: boolean): number {
  const { knots, below, atOrBelow, count } = table;
  const at = lastAtMost(knots, value);
  let rows: number;
  let beyond = 0;
  if (at >= 0 && knots[at] === value) {
    rows = isLow ? atOrBelow[at]! : count - below[at]!;
  } else {
    // Between two knots: exact where every distinct value has a knot, half way where some were left out.
    const least = at >= 0 ? atOrBelow[at]! : 0;
    const most = at + 1 < knots.length ? below[at + 1]! : count;
    const under = (least + most) / 2;
    rows = isLow ? under : count - under;
    if (rows === 0)
      beyond = isLow ? paretoSurprise(table.lower, -value, -knots[0]!) : paretoSurprise(table.upper, value, knots[at]!);
  }
  return (isNew ? -Math.log((rows + 1) / (count + 1)) : -Math.log(rows / count)) + beyond;
}

function lastAtMost(knots: Float64Array, value: number): number {
  let low = -1;
  let high = knots.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle]! <= value) low = middle;
    else high = middle;
  }
  return low;
}
