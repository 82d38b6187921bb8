import type { RepairSettings } from '../schemas/repair-settings.js';
import type { RepairState } from '../schemas/repair.js';

/** A repair of the model that was begun. */
export interface PastRepair {
  startedMs: number;
  /** Absent while it runs. */
  endedMs?: number;
  state: RepairState;
}

export type RepairDecision = { begin: true } | { begin: false; reason: string; untilMs?: number };

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const HELPED: readonly RepairState[] = ['repaired'];
/** What a person has ended says nothing of whether it helps. */
const SAYS_NOTHING: readonly RepairState[] = ['cancelled'];

/**
 * Whether an alert begins a repair by itself now. It does so when it has stood long enough, none is under way, the last ones have helped
 * or are long enough ago, and the budget of the period has one left.
 * @param past repairs of the model, by themselves or by hand, newest first
 * @param alert when it was opened, and until when it was seen
 */
export function decideRepair(
  alert: { openedMs: number },
  past: readonly PastRepair[],
  settings: Pick<RepairSettings, 'debounce_minutes' | 'trainings' | 'period_days' | 'backoff_hours'>,
  nowMs: number,
): RepairDecision {
  const wait = (reason: string, untilMs?: number): RepairDecision => ({
    begin: false,
    reason,
    ...(untilMs !== undefined && { untilMs }),
  });
  if (past.some(({ state }) => state === 'running')) return wait('A repair of the model is under way.');
  const ripeMs = alert.openedMs + settings.debounce_minutes * MINUTE_MS;
  if (nowMs < ripeMs) return wait('It has not stood long enough.', ripeMs);
  const { failures, lastEndedMs } = failuresInARow(past);
  if (failures > 0) {
    const untilMs = lastEndedMs + settings.backoff_hours * HOUR_MS * 2 ** Math.min(failures - 1, 10);
    const times = failures === 1 ? 'The last repair' : `Each of the last ${failures} repairs`;
    if (nowMs < untilMs) return wait(`${times} did not help, so that the next one waits.`, untilMs);
  }
  const since = nowMs - settings.period_days * DAY_MS;
  const recent = past.filter(({ startedMs }) => startedMs > since);
  if (recent.length >= settings.trainings) {
    const reason = `The budget of ${settings.trainings} repairs within ${settings.period_days} days is used up.`;
    const freed = recent[settings.trainings - 1];
    return wait(reason, freed && freed.startedMs + settings.period_days * DAY_MS);
  }
  // One that helped was made for all alerts of before it: what is still open then needs time to be seen as over.
  const last = past.find(({ state }) => HELPED.includes(state));
  const settledMs = (last?.endedMs ?? -Infinity) + settings.backoff_hours * HOUR_MS;
  if (last && alert.openedMs <= (last.endedMs ?? 0) && nowMs < settledMs)
    return wait('A repair was made for it already.', settledMs);
  return { begin: true };
}

function failuresInARow(past: readonly PastRepair[]): { failures: number; lastEndedMs: number } {
  const telling = past.filter(({ state }) => !SAYS_NOTHING.includes(state));
  const end = telling.findIndex(({ state }) => HELPED.includes(state));
  const failed = end < 0 ? telling : telling.slice(0, end);
  return { failures: failed.length, lastEndedMs: failed[0]?.endedMs ?? failed[0]?.startedMs ?? 0 };
}
