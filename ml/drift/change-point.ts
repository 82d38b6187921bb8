const BINS = 10;
/** Added to each count, so that a value which one side never had does not decide alone. */
const PRIOR = 0.5;
const LEAST_ROWS = 30;
/** Odds of a change that fitting both sides to their own rows makes by chance, for each kind of value, and then e to this. */
const LEAST_LOG_ODDS = 12;

/** A cell of a column: a number, a category, or null where it is missing. */
export type Cell = number | string | null;

/**
 * Estimates where in a series the distribution changed for good: the most likely split between two distributions, of which the one is taken from
 * the first rows and the other from the last ones. Numbers are told apart by tenths of all rows; a missing cell is a value of its own.
 * @param cells in the order of time
 * @param before rows at the beginning that are of the world as it was, and `after` at the end of the world as it is now; a share of rows of the other
 *   world among them only makes the estimate coarser
 * @returns the index of the first cell after the change; undefined where there are fewer than 30 rows on a side, or no split is likely
 * @see Hinkley, Inference about the change-point in a sequence of random variables (1970): the maximum likelihood estimate
 */
export function findChangePoint(
  cells: readonly Cell[],
  { before, after }: { before: number; after: number },
): number | undefined {
  if (Math.min(before, after) < LEAST_ROWS || before + after > cells.length) return undefined;
  const values = toCodes(cells);
  const kinds = Math.max(...values) + 1;
  const old = shares(values.slice(0, before), kinds);
  const now = shares(values.slice(values.length - after), kinds);
  const odds = old.map((share, value) => Math.log(now[value]! / share));
  // What all rows from a split on say for the new world against the old one.
  let sum = 0;
  let best = { at: cells.length, sum: 0 };
  for (let at = cells.length - 1; at >= 0; at--) {
    sum += odds[values[at]!]!;
    if (sum > best.sum) best = { at, sum };
  }
  return best.sum >= LEAST_LOG_ODDS + kinds ? best.at : undefined;
}

/** A whole number from 0 on for each kind of value. */
function toCodes(cells: readonly Cell[]): number[] {
  const numbers = Float64Array.from(cells.filter((cell) => typeof cell === 'number')).sort();
  const edges = Array.from({ length: BINS - 1 }, (_, at) => numbers[Math.floor(((at + 1) * numbers.length) / BINS)]!);
  const codes = new Map<string, number>();
  return cells.map((cell) => {
    const kind = typeof cell === 'number' ? `#${edges.filter((edge) => cell >= edge).length}` : JSON.stringify(cell);
    const known = codes.get(kind) ?? codes.size;
    codes.set(kind, known);
    return known;
  });
}

function shares(values: readonly number[], kinds: number): number[] {
  const counts = Array.from({ length: kinds }, () => PRIOR);
  for (const value of values) counts[value]!++;
  return counts.map((count) => count / (values.length + PRIOR * kinds));
}
