import { AdaptiveWindow, type AdaptiveWindowState } from './adaptive-window.js';
import { PAGE_HINKLEY_DEFAULTS, startPageHinkley, stepPageHinkley, type PageHinkleyState } from './page-hinkley.js';

/** Chance of a false cut at a look of the window: a stream of 100 million values has 3 million looks. */
const DELTA = 1e-8;
const PAGE_HINKLEY = { ...PAGE_HINKLEY_DEFAULTS, threshold: 60 };
/** Both tests have to speak within as many values of each other; as many quiet ones end it. */
const TOGETHER_VALUES = 1000;

/** Plain numbers, so that it can be kept. */
export interface LevelState {
  values: number;
  pageHinkley: PageHinkleyState;
  window: AdaptiveWindowState;
  /** Number of the value at which each spoke last; 0 for never. */
  spoke: { pageHinkley: number; window: number };
  /** The mean before and after the last cut. */
  from: number;
  to: number;
}

export const startLevel = (): LevelState => ({
  values: 0,
  pageHinkley: startPageHinkley(),
  window: { buckets: [], seen: 0 },
  spoke: { pageHinkley: 0, window: 0 },
  from: 0,
  to: 0,
});

/** Takes the next values of a stream, in order. Two tests with different weaknesses watch its mean: Page-Hinkley and an adaptive window. */
export function stepLevel(state: LevelState, values: readonly number[]): void {
  const window = new AdaptiveWindow(DELTA, state.window);
  for (const value of values) {
    state.values++;
    const { state: next, change } = stepPageHinkley(state.pageHinkley, value, PAGE_HINKLEY);
    state.pageHinkley = next;
    if (change) state.spoke.pageHinkley = state.values;
    const cut = window.add(value);
    if (!cut) continue;
    state.spoke.window = state.values;
    state.from = cut.from;
    state.to = cut.to;
  }
  state.window = window.state;
}

/** How many of the two tests have spoken of late: 0, 1 or 2. */
export function levelVoices({ values, spoke }: LevelState): number {
  const isLate = (at: number) => at > 0 && values - at < TOGETHER_VALUES;
  return Number(isLate(spoke.pageHinkley)) + Number(isLate(spoke.window));
}
