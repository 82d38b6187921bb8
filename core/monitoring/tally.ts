/**
 * Numbers by name, nested, each of them a sum over rows. Tallies of disjoint sets of rows add up to that of their union, whatever the
 * order; that is what makes rollups possible. Plain JSON.
 */
export interface Tally {
  [name: string]: number | Tally;
}

/** Names under one head or segment before further ones count as `OTHER`: an answer may be any text. */
const MOST_NAMES = 100;
export const OTHER = '(other)';

/** Parts whose names come from answers. */
const OPEN_PARTS = new Set(['classes', 'reasons']);

/** Adds every number of one tally to another. @returns the first */
export function addUp(into: Tally, from: Tally, isOpen = false): Tally {
  for (const [name, value] of Object.entries(from))
    if (typeof value !== 'number') addUp(partOf(into, name), value, OPEN_PARTS.has(name));
    else if (isOpen) bumpName(into, name, value);
    else bump(into, name, value);
  return into;
}

/** The tally below a name, made where there is none. */
export function partOf(tally: Tally, name: string): Tally {
  const part = Object.hasOwn(tally, name) ? tally[name] : undefined;
  if (typeof part === 'object') return part;
  const made: Tally = {};
  tally[name] = made;
  return made;
}

export function bump(tally: Tally, name: string, by = 1): void {
  const before = Object.hasOwn(tally, name) ? tally[name] : undefined;
  tally[name] = (typeof before === 'number' ? before : 0) + by;
}

/** Counts a value that may be any text; beyond 100 different ones it counts as `OTHER`. */
export function bumpName(tally: Tally, name: string, by = 1): void {
  const isNew = !Object.hasOwn(tally, name);
  bump(tally, isNew && Object.keys(tally).length >= MOST_NAMES ? OTHER : name, by);
}

/** Adds a value to sums from which its mean and variance follow: `n`, `sum`, `squares`. */
export function addMoment(tally: Tally, name: string, value: number): void {
  if (!Number.isFinite(value)) return;
  const part = partOf(tally, name);
  bump(part, 'n');
  bump(part, 'sum', value);
  bump(part, 'squares', value * value);
}

/** What `addMoment` has added up. */
export interface Moments {
  n: number;
  sum: number;
  squares: number;
}

export function momentsOf(tally: Tally | undefined, name: string): Moments | undefined {
  const part = tally?.[name];
  if (typeof part !== 'object') return undefined;
  return { n: numberOf(part, 'n'), sum: numberOf(part, 'sum'), squares: numberOf(part, 'squares') };
}

export function numberOf(tally: Tally | undefined, name: string): number {
  const value = tally?.[name];
  return typeof value === 'number' ? value : 0;
}

export function tallyOf(tally: Tally | undefined, name: string): Tally {
  const value = tally?.[name];
  return typeof value === 'object' ? value : {};
}

/** The mean with its standard error; undefined without values. */
export function meanOf(moments: Moments | undefined): { mean: number; error: number; n: number } | undefined {
  if (!moments || moments.n === 0) return undefined;
  const { n, sum, squares } = moments;
  const mean = sum / n;
  const variance = n > 1 ? Math.max(0, (squares - n * mean * mean) / (n - 1)) : Infinity;
  return { mean, error: Math.sqrt(variance / n), n };
}
