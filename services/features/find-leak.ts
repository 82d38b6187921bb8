import type { DuckDBConnection } from '@duckdb/node-api';
import type { FeatureView } from '../../core/schemas/feature-view.js';
import { queryRows } from '../duckdb.js';
import { featuresSql, timesSql } from './point-in-time-sql.js';
import { openViewRows, type SourceFiles } from './view-rows.js';

/** Moments at which the view is laid beside what it would have been then, as shares of its rows. */
const MOMENTS = [0.25, 0.5, 0.75] as const;

/**
 * Whether the SQL of a view looks into the future: rows that it says were known at a moment must come out the same when it is given only what
 * its sources knew by then. A view without SQL of its own has one row in for each row out, and cannot.
 * @returns what is wrong, or undefined
 */
export async function findLeak(
  connection: DuckDBConnection,
  view: FeatureView,
  files: SourceFiles,
): Promise<string | undefined> {
  if (view.sql === undefined) return undefined;
  const whole = await openViewRows(connection, view, files, '_leak_whole');
  const moments = await queryRows<{ until: string }>(
    connection,
    `SELECT DISTINCT CAST(until AS VARCHAR) AS until FROM (
       SELECT unnest(quantile_disc(_known_us, [${MOMENTS.join(', ')}])) AS until FROM (${timesSql(view, whole)})) ORDER BY until`,
  );
  for (const { until: at } of moments) {
    const then = await openViewRows(connection, view, files, '_leak_then', BigInt(at));
    const known = (rows: string) =>
      `SELECT _entity, _event_us, _available_us, v.* EXCLUDE (_row) FROM (${timesSql(view, rows)}) t
       JOIN (SELECT _row, ${featuresSql(view)} FROM ${rows}) v USING (_row) WHERE _known_us <= ${at}`;
    const [found] = await queryRows<{ rows: number; example: string | null }>(
      connection,
      `SELECT count(*) AS rows, min(_entity) AS example FROM (
         (${known(whole)} EXCEPT ALL ${known(then)}) UNION ALL (${known(then)} EXCEPT ALL ${known(whole)}))`,
    );
    if (found && found.rows > 0)
      return `looks into the future: ${found.rows} rows that it says were known by ${new Date(Number(BigInt(at) / 1000n)).toISOString()} (such as one of ${found.example}) come out differently without what its sources learnt later. Use windows that end at the current row, or give the rows a later available_time`;
  }
  return undefined;
}
