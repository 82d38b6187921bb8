/** Of a Page-Hinkley test. */
export interface PageHinkleySettings {
  /** In standard deviations: a change of the mean smaller than this is none. */
  tolerance: number;
  /** In standard deviations: the sum of deviations from which on the mean has changed. */
  threshold: number;
  /** Values before the first verdict. */
  leastValues: number;
}

export const PAGE_HINKLEY_DEFAULTS: PageHinkleySettings = { tolerance: 0.25, threshold: 30, leastValues: 100 };

/** What the test remembers; plain numbers, so that it can be kept. */
export interface PageHinkleyState {
  count: number;
  mean: number;
  /** Of squared deviations from the mean. */
  squares: number;
  upward: number;
  downward: number;
}

export const startPageHinkley = (): PageHinkleyState => ({ count: 0, mean: 0, squares: 0, upward: 0, downward: 0 });

/**
 * Takes one value and says whether the mean of the stream has changed (Page 1954, "Continuous inspection schemes", two-sided and in units of the
 * stream's own deviation, so that one threshold fits all). After a change it starts anew with the values that follow.
 * @returns the state to go on with, and which way the mean went
 */
export function stepPageHinkley(
  state: PageHinkleyState,
  value: number,
  settings: PageHinkleySettings = PAGE_HINKLEY_DEFAULTS,
): { state: PageHinkleyState; change?: 'up' | 'down' } {
  const count = state.count + 1;
  const delta = value - state.mean;
  const mean = state.mean + delta / count;
  const squares = state.squares + delta * (value - mean);
  const deviation = Math.sqrt(squares / Math.max(1, count - 1));
  const z = deviation > 0 && count > settings.leastValues / 2 ? (value - mean) / deviation : 0;
  const upward = Math.max(0, state.upward + z - settings.tolerance);
  const downward = Math.max(0, state.downward - z - settings.tolerance);
  if (count >= settings.leastValues && Math.max(upward, downward) > settings.threshold)
    return { state: startPageHinkley(), change: upward > downward ? 'up' : 'down' };
  return { state: { count, mean, squares, upward, downward } };
}
