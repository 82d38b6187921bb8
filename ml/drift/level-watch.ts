import { AdaptiveWindow, type AdaptiveWindowState } from './adaptive-window.js';
import { PAGE_HINKLEY_DEFAULTS, startPageHinkley, stepPageHinkley, type PageHinkleyState } from './page-hinkley.js';

/** Chance of a false cut at a look of the window: a stream of 100 million values has 3 million looks. */
const DELTA = 1e-8;
const PAGE_HINKLEY = { ...PAGE_HINKLEY_DEFAULTS, threshold: 60 };
/** Both tests have to speak within as many values of each other; as many quiet ones end it. */
const TOGETHER_VALUES = 1000;

/** Times that are kept to tell when a change began. */
const MOST_MARKS = 64;

/** So many values had come at a time. */
interface LevelMark {
  values: number;
  atMs: number;
}

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
  /** The ends of earlier batches, the latest last; the older the fewer. */
  marks?: LevelMark[];
  /** The values after the last cut are not older. */
  changedAtMs?: number;
}

export const startLevel = (): LevelState => ({
  values: 0,
  pageHinkley: startPageHinkley(),
  window: { buckets: [], seen: 0 },
  spoke: { pageHinkley: 0, window: 0 },
  from: 0,
  to: 0,
});

/**
 * Takes the next values of a stream, in order. Two tests with different weaknesses watch its mean: Page-Hinkley and an adaptive window.
 * @param atMs time of the last of them
 */
export function stepLevel(state: LevelState, values: readonly number[], atMs: number): void {
  const window = new AdaptiveWindow(DELTA, state.window);
  let changedAt: number | undefined;
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
    changedAt = state.values - window.window.count;
  }
  state.window = window.state;
  const marks = [...(state.marks ?? []), { values: state.values, atMs }];
  if (changedAt !== undefined) state.changedAtMs = marks.find((mark) => mark.values > changedAt)?.atMs ?? atMs;
  state.marks = marks.length > MOST_MARKS ? marks.filter((_, at) => (marks.length - 1 - at) % 2 === 0) : marks;
}

/** How many of the two tests have spoken of late: 0, 1 or 2. */
export function levelVoices({ values, spoke }: LevelState): number {
  const isLate = (at: number) => at > 0 && values - at < TOGETHER_VALUES;
  return Number(isLate(spoke.pageHinkley)) + Number(isLate(spoke.window));
}
