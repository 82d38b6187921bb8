/** What may save time when a history is fitted that differs little from one before. */
export interface FitContext {
  /** What the same forecaster fitted to an earlier part of the same series. */
  earlier?: FittedForecaster;
  /** Place of the first value in the whole series: tells how far `earlier` lies back. 0 unless told. */
  start?: number;
}

/** A way to forecast a series from its own past. */
export interface Forecaster {
  name: string;
  /**
   * Fits to a history without gaps.
   * @param values at least two finite values, oldest first
   * @param seasons steps of each season, shortest first; only those that fit in twice are used, empty for none
   * @returns null where this forecaster cannot be used on such a history
   */
  fit(values: Float64Array, seasons: readonly number[], context?: FitContext): FittedForecaster | null;
}

/** What a forecaster learned from one history. */
export interface FittedForecaster {
  /** The next `horizon` values after the history, finite. */
  forecast(horizon: number): Float64Array;
  /** What was chosen, for reports: forms, parameters. */
  details?: Record<string, number | string>;
}

/** Seasons that fit into a history at least twice, shortest first, each once. */
export function usableSeasons(length: number, seasons: readonly number[]): number[] {
  return [...new Set(seasons)].filter((season) => season >= 2 && 2 * season <= length).sort((a, b) => a - b);
}
