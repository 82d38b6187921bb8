const HOUR_MS = 3_600_000;
const WEEK_MS = 168 * HOUR_MS;
/** From so many weeks of log on, a window is compared with the same hours of the week. */
const LEAST_WEEKS = 4;
/** The reference does not move on with the log: else what drifts slowly would drag it along. */
const MOST_WEEKS = 8;
/** Fewer windows do not tell what a column does by itself. */
const LEAST_WINDOWS = 3;

export interface Period {
  start: Date;
  end: Date;
}

/**
 * What a window is compared with. `season`: the same hours of the week in the version's first weeks. `training`: rows that were held out when the
 * version was trained. `first_week`: the first week that the version answered, for kinds that hold out no rows.
 */
export type DriftReference =
  { kind: 'season' | 'first_week'; periods: Period[] } | { kind: 'training' } | { kind: 'none'; reason: string };

/**
 * Chooses the reference of a window.
 * @param servedSince when the version began to answer; undefined where it never did
 */
export function chooseReference(
  window: Period,
  { servedSince, hasTrainingRows }: { servedSince: Date | undefined; hasTrainingRows: boolean },
): DriftReference {
  const seasons = servedSince ? seasonPeriods(window, servedSince) : [];
  if (seasons.length >= LEAST_WINDOWS) return { kind: 'season', periods: seasons };
  if (hasTrainingRows) return { kind: 'training' };
  const lengthMs = Number(window.end) - Number(window.start);
  const firstMs = servedSince ? Math.ceil(Number(servedSince) / HOUR_MS) * HOUR_MS : NaN;
  const count = Math.max(1, Math.floor(WEEK_MS / lengthMs));
  if (!(Number(window.start) >= firstMs + count * lengthMs))
    return {
      kind: 'none',
      reason: 'The kind holds out no rows in training, and the version has not answered for a week before this window.',
    };
  const periods = Array.from({ length: count }, (_, at) => periodFrom(firstMs + at * lengthMs, lengthMs));
  return { kind: 'first_week', periods };
}

const periodFrom = (startMs: number, lengthMs: number): Period => ({
  start: new Date(startMs),
  end: new Date(startMs + lengthMs),
});

/** The same hours of the week before the window, within the version's first weeks; the latest first. */
function seasonPeriods({ start, end }: Period, servedSince: Date): Period[] {
  const lengthMs = Number(end) - Number(start);
  if (Number(start) - Number(servedSince) < LEAST_WEEKS * WEEK_MS) return [];
  const stepMs = Math.ceil(lengthMs / WEEK_MS) * WEEK_MS;
  const lastMs = Number(servedSince) + MOST_WEEKS * WEEK_MS;
  const periods: Period[] = [];
  for (let at = Number(start) - stepMs; at >= Number(servedSince); at -= stepMs)
    if (at + lengthMs <= lastMs) periods.push(periodFrom(at, lengthMs));
  return periods;
}
