import type { DuckDBConnection } from '@duckdb/node-api';
import { DEFAULT_HORIZON_DAYS, DEFAULT_LOOKBACK_DAYS, USER_BEHAVIOR_COLUMNS } from './user-behavior-columns.js';
import {
  describeEvents,
  whereClause,
  dateRange,
  chooseAsOfTimes,
  isoTime,
  wholeDays,
  daysBefore,
  type AsOfRange,
  type EventsSource,
  type Where,
} from './user-behavior-source.js';
import { quoteText } from '../duckdb.js';
import { featuresSql, labelledRowsSql, orderedEventsSql } from './user-behavior-sql.js';

export {
  ENGAGEMENT_EVENTS_PER_30_DAYS,
  FeatureInputError,
  MOST_RECENT_ACTIVITIES,
  USER_BEHAVIOR_COLUMNS,
  USER_BEHAVIOR_FEATURES,
} from './user-behavior-columns.js';

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

export type { AsOfRange } from './user-behavior-source.js';

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
    return result.getRowObjects().map((row) => Object.assign(row, { as_of: asOf }) as unknown as UserBehaviorRow);
  });
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
