import type { CategorySample, ColumnDrift, NumberSample } from '../../ml/drift/column-drift.js';
import { compareCategories } from '../../ml/drift/compare-categories.js';
import { compareNumbers } from '../../ml/drift/compare-numbers.js';
import { createPrng, type Prng } from '../../ml/random/prng.js';

/** A law that a column's values follow. */
export type ColumnLaw =
  | { kind: 'normal' }
  | { kind: 'lognormal' }
  | { kind: 'counts'; mean: number }
  | { kind: 'holes'; missing: number }
  | { kind: 'category'; shares: readonly number[] }
  /** Ever new values in the tail: shares fall as 1 / rank. */
  | { kind: 'tail'; values: number };

/** Thirty columns as a table has them: bell-shaped, skewed, counts, with holes, few categories, many. */
export const THIRTY_COLUMNS: readonly ColumnLaw[] = [
  ...Array.from({ length: 10 }, () => ({ kind: 'normal' }) as const),
  ...Array.from({ length: 5 }, () => ({ kind: 'lognormal' }) as const),
  ...[0.5, 2, 8].map((mean) => ({ kind: 'counts', mean }) as const),
  ...[0.02, 0.3].map((missing) => ({ kind: 'holes', missing }) as const),
  ...[2, 3, 5, 8, 20].map((count) => ({ kind: 'category', shares: Array(count).fill(1 / count) as number[] }) as const),
  ...[0.99, 0.9].map((share) => ({ kind: 'category', shares: [share, 1 - share] }) as const),
  ...[100, 1000, 20_000].map((values) => ({ kind: 'tail', values }) as const),
];

export type Sample = { number: NumberSample } | { category: CategorySample };

const cumulated = new Map<number, Float64Array>();

function tailOf(values: number): Float64Array {
  const known = cumulated.get(values);
  if (known) return known;
  const sums = new Float64Array(values);
  let sum = 0;
  for (let rank = 0; rank < values; rank++) sums[rank] = sum += 1 / (rank + 1);
  const shares = sums.map((one) => one / sum);
  cumulated.set(values, shares);
  return shares;
}

/** Draws rows of one column. @param shift in standard deviations, of numbers */
export function drawColumn(law: ColumnLaw, rows: number, prng: Prng, shift = 0): Sample {
  if (law.kind === 'category' || law.kind === 'tail') {
    const counts = new Map<string, number>();
    for (let row = 0; row < rows; row++) {
      const value = String(drawCategory(law, prng));
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    return { category: { counts, missing: 0 } };
  }
  const values = new Float64Array(rows);
  let present = 0;
  for (let row = 0; row < rows; row++) {
    if (law.kind === 'holes' && prng.next() < law.missing) continue;
    values[present++] = drawNumber(law, prng) + shift * DEVIATIONS[law.kind](law);
  }
  return { number: { values: values.slice(0, present).sort(), missing: rows - present } };
}

const DEVIATIONS: Record<'normal' | 'lognormal' | 'counts' | 'holes', (law: ColumnLaw) => number> = {
  normal: () => 1,
  holes: () => 1,
  lognormal: () => Math.sqrt((Math.E - 1) * Math.E),
  counts: (law) => Math.sqrt((law as { mean: number }).mean),
};

function drawNumber(law: Exclude<ColumnLaw, { kind: 'category' | 'tail' }>, prng: Prng): number {
  if (law.kind === 'counts') return drawPoisson(law.mean, prng);
  const normal = prng.nextGaussian();
  return law.kind === 'lognormal' ? Math.exp(normal) : normal;
}

function drawPoisson(mean: number, prng: Prng): number {
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = prng.next(); product > limit; product *= prng.next()) count++;
  return count;
}

function drawCategory(law: Extract<ColumnLaw, { kind: 'category' | 'tail' }>, prng: Prng): number {
  const u = prng.next();
  if (law.kind === 'category') {
    let sum = 0;
    return Math.max(
      0,
      law.shares.findIndex((share) => (sum += share) > u),
    );
  }
  const shares = tailOf(law.values);
  let low = 0;
  for (let high = shares.length - 1; low < high;) {
    const middle = (low + high) >> 1;
    if (shares[middle]! > u) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Compares two samples of one column. */
export function compareSamples(column: string, reference: Sample, current: Sample): ColumnDrift {
  if ('number' in reference && 'number' in current) return compareNumbers(column, reference.number, current.number);
  if ('category' in reference && 'category' in current)
    return compareCategories(column, reference.category, current.category);
  throw new TypeError(`the two samples of ${column} are of different kinds`);
}

/** Thirty columns. @param shifts in standard deviations, by the place of the column */
export function drawTable(
  rows: number,
  seeds: [number, ...number[]],
  shifts: Readonly<Record<number, number>> = {},
): Sample[] {
  const prng = prngOf(...seeds);
  return THIRTY_COLUMNS.map((law, at) => drawColumn(law, rows, prng, shifts[at] ?? 0));
}

export const prngOf = (seed: number, ...stream: number[]): Prng => createPrng(seed, ...stream);
