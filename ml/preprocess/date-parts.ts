const MS_PER_DAY = 86_400_000;

/** The numbers a date or time can be taken apart into, all in UTC. */
export type DatePart = 'days' | 'weekday' | 'month' | 'hour' | 'year' | 'day' | 'weekend';

/** Which numbers a date column becomes; plain JSON, stored with the model. */
export interface DateParts {
  /**
   * `days` whole days since `origin`, `weekday` 0 (Monday) to 6, `month` 1 to 12, `hour` 0 to 23, `year`, `day` of the month 1 to
   * 31, `weekend` 1 on Saturday and Sunday, else 0.
   */
  parts: DatePart[];
  /** Day that `days` counts from, in days since 1970-01-01. */
  origin: number;
}

const ALL_PARTS: readonly DatePart[] = ['days', 'weekday', 'month', 'hour', 'year', 'day', 'weekend'];

/** How dates were taken apart before the parts were stored with the encoder. */
export const UNSTORED_DATE_PARTS: DateParts = { parts: ['days', 'weekday', 'month', 'hour'], origin: 0 };

/**
 * Learns which parts of a date column differ between training rows: the hour only where times of day vary, the year only where
 * there are several. `days` counts from the earliest training date.
 * @param moments milliseconds since 1970 (UTC), NaN = missing
 * @returns no parts where all rows have the same moment; `days` alone where they only differ in having one
 */
export function fitDateParts(moments: Float64Array): DateParts {
  const known = moments.filter((moment) => moment === moment);
  let earliest = Infinity;
  for (const moment of known) earliest = Math.min(earliest, moment);
  if (known.length === 0) return { parts: [], origin: 0 };
  const origin = Math.floor(earliest / MS_PER_DAY);
  const parts = ALL_PARTS.filter((part) => {
    const first = readDatePart(part, known[0]!, origin);
    return known.some((moment) => readDatePart(part, moment, origin) !== first);
  });
  if (parts.length === 0 && known.length < moments.length) parts.push('days');
  return { parts, origin };
}

/**
 * Writes the parts of one moment.
 * @param moment milliseconds since 1970 (UTC), NaN = missing
 * @param out receives `parts.length` numbers from `at` on; all NaN for a missing moment
 */
export function writeDateParts({ parts, origin }: DateParts, moment: number, out: Float64Array, at: number): void {
  for (let i = 0; i < parts.length; i++) out[at + i] = readDatePart(parts[i]!, moment, origin);
}

function readDatePart(part: DatePart, moment: number, origin: number): number {
  const day = Math.floor(moment / MS_PER_DAY);
  // 1970-01-01 was a Thursday; Monday = 0.
  const weekday = (((day + 3) % 7) + 7) % 7;
  switch (part) {
    case 'days':
      return day - origin;
    case 'weekday':
      return weekday;
    case 'month':
      return new Date(moment).getUTCMonth() + 1;
    case 'hour':
      return Math.floor((moment - day * MS_PER_DAY) / 3_600_000);
    case 'year':
      return new Date(moment).getUTCFullYear();
    case 'day':
      return new Date(moment).getUTCDate();
    case 'weekend':
      return weekday !== weekday ? NaN : weekday >= 5 ? 1 : 0;
  }
}
