import { isAtLeast, type FindingState, type Severity } from '../monitoring/finding.js';

/** One judgement of the thing that a rule watches. */
export interface JudgedWindow {
  /** The end of the window, in milliseconds since 1970. */
  endMs: number;
  state: FindingState;
  severity: Severity;
}

export interface Hysteresis {
  /** Windows in a row that open an alert, and that resolve it. */
  openAfter: number;
  resolveAfter: number;
}

/** The alert that is not resolved yet. */
export interface StandingAlert {
  severity: Severity;
  openedWindowMs: number;
  lastWindowMs: number;
}

export type AlertMove = 'none' | 'open' | 'stay' | 'escalate' | 'resolve';

/**
 * What follows for the alert of a rule. Windows that could not be judged say nothing, and one that is suspected neither opens nor resolves.
 * @param windows newest first
 * @param standing the alert that is not resolved
 * @param settledMs windows up to here belong to an alert that was resolved
 */
export function judgeAlert(
  windows: readonly JudgedWindow[],
  { openAfter, resolveAfter }: Hysteresis,
  { standing, settledMs = -Infinity }: { standing?: StandingAlert; settledMs?: number },
): AlertMove {
  const known = windows.filter(({ state }) => state !== 'unknown');
  const newest = known[0];
  if (!newest) return 'none';
  const isAlarm = ({ state }: JudgedWindow) => state === 'alarm';
  if (!standing)
    return countFirst(known, (window) => isAlarm(window) && window.endMs > settledMs) >= openAfter ? 'open' : 'none';
  if (isAlarm(newest)) {
    if (newest.severity !== standing.severity && isAtLeast(newest.severity, standing.severity)) return 'escalate';
    return newest.endMs > standing.lastWindowMs ? 'stay' : 'none';
  }
  // A window that is judged again may take back the very alarm.
  const clear = countFirst(known, ({ state, endMs }) => state === 'ok' && endMs >= standing.openedWindowMs);
  return clear >= resolveAfter ? 'resolve' : 'none';
}

function countFirst<T>(items: readonly T[], is: (item: T) => boolean): number {
  const end = items.findIndex((item) => !is(item));
  return end < 0 ? items.length : end;
}
