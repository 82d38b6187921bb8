import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { DEFAULT_EVERY_DAYS, FeatureInputError } from './user-behavior-columns.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';

const DAY_MS = 86_400_000;
const REQUIRED_COLUMNS = ['event_id', 'user_id', 'event_type', 'project_id', 'occurred_at'] as const;
/** The filters that are rules of their own rather than equality on a column. */
const RULES = ['active_users_only'] as const;

/** When to look: events outside [startDate, endDate) do not count at all. Dates are ISO-8601, read as UTC. */
export interface AsOfRange {
  startDate?: string;
  endDate?: string;
  /** Days from one as-of time to the next, 1 or more. Default 15. */
  everyDays?: number;
}

export interface EventsSource {
  /** The files as a table expression. */
  sql: string;
  columns: string[];
  /** An expression that gives `occurred_at` as a TIMESTAMP in UTC. */
  occurredAt: string;
}

export interface Where {
  sql: string;
  values: DuckDBValue[];
}

/** Looks at the files: their columns, and how to read the time as UTC. */
export async function describeEvents(
  connection: DuckDBConnection,
  eventFiles: readonly string[],
): Promise<EventsSource> {
  if (eventFiles.length === 0)
    throw new FeatureInputError('training_data.source', 'There is no file of user events. Ingest user_events first.');
  const sql = `read_parquet([${eventFiles.map(quoteText).join(', ')}], union_by_name = true)`;
  const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${sql}`);
  const types = new Map(described.getRows().map((row) => [String(row[0]), String(row[1])]));
  const missing = REQUIRED_COLUMNS.filter((column) => !types.has(column));
  if (missing.length > 0) {
    throw new FeatureInputError(
      'training_data.source',
      `The user events lack ${missing.join(', ')}; they have ${[...types.keys()].join(', ')}.`,
      REQUIRED_COLUMNS,
    );
  }
  const zoned = types.get('occurred_at') === 'TIMESTAMP WITH TIME ZONE';
  return {
    sql,
    columns: [...types.keys()],
    occurredAt: zoned ? "occurred_at AT TIME ZONE 'UTC'" : 'CAST(occurred_at AS TIMESTAMP)',
  };
}

/** The events that count, as a condition with bound values. Names of filters are checked against the columns. */
export function whereClause(
  source: EventsSource,
  range: { start?: string; end?: string },
  filters: Readonly<Record<string, unknown>>,
): Where {
  const where: Where = {
    sql: 'user_id IS NOT NULL AND event_type IS NOT NULL AND occurred_at IS NOT NULL',
    values: [],
  };
  const bind = (value: DuckDBValue): string => `$${where.values.push(value)}`;
  if (range.start !== undefined) where.sql += ` AND occurred_at >= CAST(${bind(bareTime(range.start))} AS TIMESTAMP)`;
  if (range.end !== undefined) where.sql += ` AND occurred_at < CAST(${bind(bareTime(range.end))} AS TIMESTAMP)`;
  for (const [name, value] of Object.entries(filters)) {
    const path = `training_data.filters.${name}`;
    if (name === 'active_users_only') {
      if (typeof value !== 'boolean')
        throw new FeatureInputError(path, `${path} is true or false, not ${JSON.stringify(value)}.`);
      continue;
    }
    if (!source.columns.includes(name)) {
      const known = [...RULES, ...source.columns];
      throw new FeatureInputError(path, `There is no filter "${name}". Known filters: ${known.join(', ')}.`, known);
    }
    const column = quoteIdentifier(name);
    if (value === null) where.sql += ` AND ${column} IS NULL`;
    else if (typeof value === 'string') where.sql += ` AND CAST(${column} AS VARCHAR) = ${bind(value)}`;
    else if (typeof value === 'boolean') where.sql += ` AND TRY_CAST(${column} AS BOOLEAN) = ${bind(value)}`;
    else if (typeof value === 'number') where.sql += ` AND TRY_CAST(${column} AS DOUBLE) = ${bind(value)}`;
    else
      throw new FeatureInputError(
        path,
        `${path} compares with a text, number, boolean or null, not ${JSON.stringify(value)}.`,
      );
  }
  return where;
}

/** As-of times, oldest first: midnights in UTC, counted back from the last whose horizon the events cover. */
export async function chooseAsOfTimes(
  connection: DuckDBConnection,
  source: EventsSource,
  range: { start?: string; end?: string; everyDays?: number | undefined; horizonDays: number; lookbackDays: number },
): Promise<string[]> {
  const everyDays = wholeDays('every_days', range.everyDays ?? DEFAULT_EVERY_DAYS, 1, 365);
  const result = await connection.runAndReadAll(
    `SELECT epoch_ms(min(moment)), epoch_ms(max(moment)) FROM (SELECT ${source.occurredAt} AS moment FROM ${source.sql})`,
  );
  const [first, last] = result.getRows()[0] ?? [null, null];
  if (first === null || first === undefined)
    throw new FeatureInputError('training_data.source', 'The user events are empty. Ingest some first.');
  const from = Math.max(range.start === undefined ? -Infinity : Date.parse(range.start), floorDay(Number(first)));
  const until = Math.min(range.end === undefined ? Infinity : Date.parse(range.end), Number(last) + 1);
  const times: string[] = [];
  for (
    let at = floorDay(until - range.horizonDays * DAY_MS);
    at - range.lookbackDays * DAY_MS >= from;
    at -= everyDays * DAY_MS
  ) {
    times.unshift(new Date(at).toISOString());
  }
  if (times.length > 0) return times;
  throw new FeatureInputError(
    'training_data',
    `The user events from ${new Date(from).toISOString()} to ${new Date(until).toISOString()} are too few days: ${range.lookbackDays} of lookback and ${range.horizonDays} of horizon are needed. Widen start_date and end_date, or ingest more.`,
  );
}

/** The bounds of the events that count, as ISO-8601 in UTC. */
export function dateRange({ startDate, endDate }: AsOfRange): { start?: string; end?: string } {
  const start = startDate === undefined ? undefined : isoTime('training_data.start_date', startDate);
  const end = endDate === undefined ? undefined : isoTime('training_data.end_date', endDate);
  if (start !== undefined && end !== undefined && start >= end) {
    throw new FeatureInputError('training_data.end_date', `end_date ${end} must be after start_date ${start}.`);
  }
  return { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}

/** A date, or a time with zone, as ISO-8601 in UTC. */
export function isoTime(path: string, text: string): string {
  const isDate = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const time = isDate || isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new FeatureInputError(
      path,
      `${path} is a date such as 2024-01-31 or a time such as 2024-01-31T00:00:00Z, not "${text}".`,
    );
  return new Date(time).toISOString();
}

/** Refuses what is no whole number in the range. */
export function wholeDays(path: string, days: number, least: number, most: number): number {
  if (Number.isInteger(days) && days >= least && days <= most) return days;
  throw new FeatureInputError(path, `${path} is a whole number from ${least} to ${most}, not ${days}.`);
}

const floorDay = (timeMs: number): number => Math.floor(timeMs / DAY_MS) * DAY_MS;
export const daysBefore = (time: string, days: number): string =>
  new Date(Date.parse(time) - days * DAY_MS).toISOString();
const bareTime = (time: string): string => time.replace('T', ' ').replace('Z', '');
