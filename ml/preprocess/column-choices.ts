/** What is done with one column on its way to numbers. */
export interface ColumnChoices {
  /** What stands for a missing value; with `drop` a row without one is no row. */
  missing: 'keep' | 'drop' | 'mean' | 'median' | 'mode' | 'constant';
  /** Of `constant`: the number, and the category. */
  fillNumber: number;
  fillText: string;
  scaling: 'none' | 'standard' | 'minmax' | 'robust';
  encoding: 'ordinal' | 'one-hot' | 'frequency' | 'target';
  /** Of `target`: how many rows the overall mean counts as, or `auto` for what the spread within and between categories says. */
  smoothing: number | 'auto';
  /** Most categories that are told apart, the most frequent ones. */
  mostCategories: number;
  /** Training rows outside the bounds are clipped to them, or left out. */
  outliers?: { action: 'clip' | 'remove'; bounds: OutlierRule };
}

/** Bounds from the quartiles and their distance, or from two quantiles. */
export type OutlierRule = { by: 'iqr'; factor: number } | { by: 'quantiles'; lower: number; upper: number };

/** What an encoder does where nothing was chosen: codes for categories, numbers as they are, gaps as gaps. */
export const NO_CHOICES: ColumnChoices = {
  missing: 'keep',
  fillNumber: 0,
  fillText: 'missing',
  scaling: 'none',
  encoding: 'ordinal',
  smoothing: 'auto',
  // What a forest can tell apart.
  mostCategories: 254,
};
