import type { SharedBins } from './share-bins.js';

/** What is kept of a column's numbers. */
export interface NumberSample {
  /** Present values, sorted; infinities count as missing. */
  values: Float64Array;
  /** Rows without a value. */
  missing: number;
}

/** What is kept of a column's texts or truth values. */
export interface CategorySample {
  counts: ReadonlyMap<string, number>;
  missing: number;
}

/** A chance, 0 to 1. In a type of its own, so that no distance is ever taken for one. */
export interface TestResult {
  test: 'kolmogorov_smirnov' | 'chi_square' | 'missing_rate' | 'new_categories';
  statistic: number;
  p_value: number;
}

/** A distance. `size` is what is beyond chance; it is compared with limits. `raw` is as measured. */
export interface DriftEffect {
  measure: 'wasserstein_per_deviation' | 'jensen_shannon_distance' | 'missing_share';
  size: number;
  raw: number;
  direction: 'up' | 'down' | 'none';
}

/** How a column of a window differs from its reference. */
export interface ComparedColumn {
  state: 'compared';
  column: string;
  kind: 'number' | 'category';
  rows: number;
  reference_rows: number;
  tests: TestResult[];
  /** Of the column as a whole: its smallest chance times the number of its tests (Bonferroni). */
  p_value: number;
  effects: DriftEffect[];
  missing: { reference: number; current: number };
  /** Of numbers: mean, deviation and median then and now; of categories absent. */
  summary?: { reference: NumberSummary; current: NumberSummary };
  /** Share of the present values beyond the smallest and the largest of the reference. */
  out_of_range?: { below: number; above: number };
  /** Of numbers: how the present values are spread then and now. */
  distribution?: SharedBins;
  /** Values that the reference does not have, most frequent first, and what share of rows they are. */
  new_categories?: { value: string; share: number }[];
  /** Values that moved most, by the difference of their shares. */
  moved_categories?: { value: string; reference: number; current: number }[];
}

export interface NumberSummary {
  mean: number;
  deviation: number;
  median: number;
}

/** A column about which nothing can be said. */
export interface UntestableColumn {
  state: 'not_testable';
  column: string;
  reason: 'reference_empty' | 'window_empty' | 'too_few_rows';
  rows: number;
  reference_rows: number;
}

export type ColumnDrift = ComparedColumn | UntestableColumn;

/** Says that a column cannot be compared, where a side has too little. */
export function describeUntestable(
  column: string,
  { rows, referenceRows, leastRows }: { rows: number; referenceRows: number; leastRows: number },
): UntestableColumn | undefined {
  const counts = { column, rows, reference_rows: referenceRows };
  if (referenceRows === 0) return { state: 'not_testable', reason: 'reference_empty', ...counts };
  if (rows === 0) return { state: 'not_testable', reason: 'window_empty', ...counts };
  if (Math.min(rows, referenceRows) < leastRows) return { state: 'not_testable', reason: 'too_few_rows', ...counts };
  return undefined;
}

/** The chance of a column from those of its tests. */
export function combineTests(tests: readonly TestResult[]): number {
  if (tests.length === 0) return 1;
  return Math.min(1, tests.length * Math.min(...tests.map(({ p_value: p }) => p)));
}
