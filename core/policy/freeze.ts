/** A time in which no rollout takes a step up: once, or every week by the clock of a place. */
export type FreezeWindow =
  { starts_at: string; ends_at: string } | { days: readonly WeekDay[]; from: string; to: string; time_zone: string };

export const WEEK_DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type WeekDay = (typeof WEEK_DAYS)[number];

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;

/**
 * Until when traffic is frozen at a time, by the window that lasts longest.
 * @param atMs milliseconds since 1970
 * @returns milliseconds since 1970; undefined when no window holds
 * @throws RangeError for a time zone that is not known
 */
export function frozenUntilMs(windows: readonly FreezeWindow[], atMs: number): number | undefined {
  const ends = windows.map((window) => endOf(window, atMs)).filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

function endOf(window: FreezeWindow, atMs: number): number | undefined {
  if ('starts_at' in window) {
    const endMs = Date.parse(window.ends_at);
    return atMs >= Date.parse(window.starts_at) && atMs < endMs ? endMs : undefined;
  }
  const { day, minute } = localTime(atMs, window.time_zone);
  const from = minutesOf(window.from);
  const length = (minutesOf(window.to) - from + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
  // A window that began yesterday may last into today.
  for (const daysAgo of [0, 1]) {
    const started = WEEK_DAYS[(day - daysAgo + 7) % 7]!;
    const since = minute + daysAgo * DAY_MINUTES - from;
    if (window.days.includes(started) && since >= 0 && since < length)
      return (Math.floor(atMs / MINUTE_MS) + length - since) * MINUTE_MS;
  }
  return undefined;
}

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

function localTime(atMs: number, timeZone: string): { day: number; minute: number } {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(atMs);
  const of = (type: string) => parts.find((part) => part.type === type)!.value;
  return {
    day: WEEK_DAYS.indexOf(of('weekday').toLowerCase() as WeekDay),
    minute: Number(of('hour')) * 60 + Number(of('minute')),
  };
}
