import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import {
  DEFAULT_EVERY_DAYS,
  DEFAULT_HORIZON_DAYS,
  DEFAULT_LOOKBACK_DAYS,
  FeatureInputError,
  USER_BEHAVIOR_COLUMNS,
} from './user-behavior-columns.js';
import { featuresSql, labelledRowsSql, orderedEventsSql, quoteIdentifier, quoteText } from './user-behavior-sql.js';

export {
  DEFAULT_EVERY_DAYS,
  DEFAULT_HORIZON_DAYS,
  DEFAULT_LOOKBACK_DAYS,
  ENGAGEMENT_EVENTS_PER_30_DAYS,
  ENGAGEMENT_LEVELS,
  FeatureInputError,
  USER_BEHAVIOR_COLUMNS,
  USER_BEHAVIOR_FEATURES,
  USER_BEHAVIOR_LABELS,
} from './user-behavior-columns.js';
export type { EngagementLevel, UserBehaviorFeature } from './user-behavior-columns.js';

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

export interface TrainingTableRequest {
  connection: DuckDBConnection;
  /** Parquet files (or globs) of `user_events`. */
  eventFiles: readonly string[];
  /** Parquet file to write; replaced if it exists. */
  outputFile: string;
  asOf?: AsOfRange;
  /** `active_users_only: boolean`, and equality on any column of the events. */
  filters?: Readonly<Record<string, unknown>>;
  /** Days that the labels look ahead, 1..365. Default 30. */
  horizonDays?: number;
  /** Days that the features look back, 28..730. Default 60. */
  lookbackDays?: number;
}

export interface TrainingTable {
  rows: number;
  users: number;
  /** As-of times, oldest first, as ISO-8601 in UTC. */
  asOfTimes: string[];
  columns: string[];
}

/** One user's features as of a time: `user_id`, `as_of` (ISO-8601) and the columns of `USER_BEHAVIOR_FEATURES`. */
export type UserBehaviorRow = { user_id: string; as_of: string } & Record<string, number | string>;

let tableCounter = 0;

/**
 * Writes the training table: a row a user and as-of time, ordered by `as_of, user_id`. A user has a row at an as-of time
 * if they have an event in the lookback before it, and with `active_users_only` if one lies in the last 30 days.
 * As-of times are midnights in UTC, `everyDays` apart, counted back from the last one whose label window the data covers,
 * as long as the whole lookback is covered too.
 */
export async function buildUserBehaviorTrainingTable(request: TrainingTableRequest): Promise<TrainingTable> {
  const { connection, outputFile, asOf = {}, filters = {} } = request;
  const horizonDays = wholeDays('horizon_days', request.horizonDays ?? DEFAULT_HORIZON_DAYS, 1, 365);
  const lookbackDays = wholeDays('lookback_days', request.lookbackDays ?? DEFAULT_LOOKBACK_DAYS, 28, 730);
  const source = await describeEvents(connection, request.eventFiles);
  const range = dateRange(asOf);
  const asOfTimes = await chooseAsOfTimes(connection, source, {
    ...range,
    everyDays: asOf.everyDays,
    horizonDays,
    lookbackDays,
  });
  const where = whereClause(source, range, filters);
  return withEventsTable(connection, source, where, async (eventsTable) => {
    const query = { eventsTable, asOfTimes, lookbackDays, activeUsersOnly: filters['active_users_only'] === true };
    await connection.run(`COPY (${labelledRowsSql(query, horizonDays)}) TO ${quoteText(outputFile)} (FORMAT parquet)`);
    const counts = await connection.runAndReadAll(
      `SELECT count(*) AS row_count, count(DISTINCT user_id) AS user_count FROM read_parquet(${quoteText(outputFile)})`,
    );
    const [rows, users] = counts.getRows()[0] ?? [0, 0];
    return { rows: Number(rows), users: Number(users), asOfTimes, columns: [...USER_BEHAVIOR_COLUMNS] };
  });
}

/**
 * The features as of one time, by the same SQL as the training table, ordered by `user_id`. Users without an event in the
 * lookback before `asOf` have no row.
 * @param asOf ISO-8601 with zone; events at or after it are not looked at
 */
export async function computeUserBehaviorFeatures(request: {
  connection: DuckDBConnection;
  eventFiles: readonly string[];
  asOf: string;
  userIds?: readonly string[];
  lookbackDays?: number;
}): Promise<UserBehaviorRow[]> {
  const { connection, userIds } = request;
  const lookbackDays = wholeDays('lookback_days', request.lookbackDays ?? DEFAULT_LOOKBACK_DAYS, 28, 730);
  const asOf = isoTime('as_of', request.asOf);
  const source = await describeEvents(connection, request.eventFiles);
  const where = whereClause(source, { start: daysBefore(asOf, lookbackDays), end: asOf }, {});
  if (userIds !== undefined) {
    if (userIds.length === 0) return [];
    where.values.push(...userIds);
    const placeholders = userIds.map((_, index) => `$${where.values.length - userIds.length + index + 1}`);
    where.sql += ` AND user_id IN (${placeholders.join(', ')})`;
  }
  return withEventsTable(connection, source, where, async (eventsTable) => {
    const sql = featuresSql({ eventsTable, asOfTimes: [asOf], lookbackDays, activeUsersOnly: false });
    const result = await connection.runAndReadAll(sql);
    return result.getRowObjects().map((row) => ({ ...row, as_of: asOf }) as unknown as UserBehaviorRow);
  });
}

interface EventsSource {
  /** The files as a table expression. */
  sql: string;
  columns: string[];
  /** An expression that gives `occurred_at` as a TIMESTAMP in UTC. */
  occurredAt: string;
}

interface Where {
  sql: string;
  values: DuckDBValue[];
}

async function describeEvents(connection: DuckDBConnection, eventFiles: readonly string[]): Promise<EventsSource> {
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

/** Runs `use` with a temporary table of the ordered events that pass `where`, and drops the table whatever happens. */
async function withEventsTable<T>(
  connection: DuckDBConnection,
  source: EventsSource,
  where: Where,
  use: (eventsTable: string) => Promise<T>,
): Promise<T> {
  tableCounter += 1;
  const eventsTable = `user_behavior_events_${tableCounter}`;
  const sql = `CREATE TEMP TABLE ${eventsTable} AS ${orderedEventsSql(source.sql, source.occurredAt, where.sql)}`;
  await connection.run(sql, where.values);
  try {
    return await use(eventsTable);
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${eventsTable}`);
  }
}

function whereClause(
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
    if (value === null) where.sql += ` AND ${quoteIdentifier(name)} IS NULL`;
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      where.sql += ` AND CAST(${quoteIdentifier(name)} AS VARCHAR) = CAST(${bind(value)} AS VARCHAR)`;
    } else
      throw new FeatureInputError(
        path,
        `${path} compares with a text, number, boolean or null, not ${JSON.stringify(value)}.`,
      );
  }
  return where;
}

async function chooseAsOfTimes(
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

function dateRange({ startDate, endDate }: AsOfRange): { start?: string; end?: string } {
  const start = startDate === undefined ? undefined : isoTime('training_data.start_date', startDate);
  const end = endDate === undefined ? undefined : isoTime('training_data.end_date', endDate);
  if (start !== undefined && end !== undefined && start >= end) {
    throw new FeatureInputError('training_data.end_date', `end_date ${end} must be after start_date ${start}.`);
  }
  return { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}

/** A date, or a time with zone, as ISO-8601 in UTC. */
function isoTime(path: string, text: string): string {
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

function wholeDays(path: string, days: number, least: number, most: number): number {
  if (Number.isInteger(days) && days >= least && days <= most) return days;
  throw new FeatureInputError(path, `${path} is a whole number from ${least} to ${most}, not ${days}.`);
}

const floorDay = (timeMs: number): number => Math.floor(timeMs / DAY_MS) * DAY_MS;
const daysBefore = (time: string, days: number): string => new Date(Date.parse(time) - days * DAY_MS).toISOString();
const bareTime = (time: string): string => time.replace('T', ' ').replace('Z', '');
