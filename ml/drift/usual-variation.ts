import type { CategorySample, ColumnDrift, NumberSample } from './column-drift.js';
import { compareCategories } from './compare-categories.js';
import { compareNumbers } from './compare-numbers.js';
import { sortNumbers } from './sort-numbers.js';

/**
 * The largest effect that one window of a reference has against all the others: what the column does by itself, from day to day. A change must be
 * larger than that, since tests take rows for independent, which rows that follow each other are not. Of independent rows it is about 0.
 * @param windows of the reference, as long as those that will be judged; fewer than three say nothing
 */
export function usualNumberEffect(windows: readonly NumberSample[]): number {
  return largestEffect(windows, joinNumbers, (reference, current) => compareNumbers('', reference, current));
}

/** The same of categories. */
export function usualCategoryEffect(windows: readonly CategorySample[]): number {
  return largestEffect(windows, joinCategories, (reference, current) => compareCategories('', reference, current));
}

function largestEffect<Sample>(
  windows: readonly Sample[],
  join: (windows: readonly Sample[]) => Sample,
  compare: (reference: Sample, current: Sample) => ColumnDrift,
): number {
  if (windows.length < 3) return 0;
  return windows.reduce((most, current, at) => {
    const found = compare(join(windows.filter((_, other) => other !== at)), current);
    return found.state === 'compared' ? Math.max(most, ...found.effects.map(({ size }) => size)) : most;
  }, 0);
}

/** Windows of numbers as one sample. */
export function joinNumbers(windows: readonly NumberSample[]): NumberSample {
  const values = new Float64Array(windows.reduce((sum, one) => sum + one.values.length, 0));
  let at = 0;
  for (const one of windows) {
    values.set(one.values, at);
    at += one.values.length;
  }
  return { values: sortNumbers(values), missing: windows.reduce((sum, { missing }) => sum + missing, 0) };
}

/** Windows of categories as one sample. */
export function joinCategories(windows: readonly CategorySample[]): CategorySample {
  const counts = new Map<string, number>();
  for (const one of windows)
    for (const [value, count] of one.counts) counts.set(value, (counts.get(value) ?? 0) + count);
  return { counts, missing: windows.reduce((sum, { missing }) => sum + missing, 0) };
}
