import { formatNumber } from './format-number.js';

const BINS = 24;
const MOST_VALUES = 20;

/** Bins of equal width for numbers, the most frequent values for all else. */
export function countValues(values: readonly unknown[]): { value: string; rows: number }[] {
  const given = values.filter((value) => value !== null && value !== undefined);
  const numbers = given.filter((value) => typeof value === 'number');
  if (numbers.length === given.length && new Set(numbers).size > MOST_VALUES) {
    const least = Math.min(...numbers);
    const width = (Math.max(...numbers) - least) / BINS;
    const counts = Array.from({ length: BINS }, () => 0);
    for (const value of numbers) counts[Math.min(BINS - 1, Math.floor((value - least) / width))]! += 1;
    return counts.map((rows, bin) => ({ value: formatNumber(least + (bin + 0.5) * width), rows }));
  }
  const counts = new Map<string, number>();
  for (const value of given) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  const entries = [...counts].map(([value, rows]) => ({ value, rows }));
  if (numbers.length === given.length) return entries.sort((a, b) => Number(a.value) - Number(b.value));
  return entries.sort((a, b) => b.rows - a.rows).slice(0, MOST_VALUES);
}
