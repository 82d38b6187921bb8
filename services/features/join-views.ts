import type { DuckDBConnection } from '@duckdb/node-api';
import { featureNameOf, type FeatureView } from '../../core/schemas/feature-view.js';
import { quoteIdentifier } from '../duckdb.js';
import { onDemandSql } from './on-demand.js';
import { historicalSql } from './point-in-time-sql.js';
import { openViewRows, type SourceFiles } from './view-rows.js';
import { refuseUnsafeSql } from './view-sandbox.js';

export interface JoinedView {
  view: string;
  definition: FeatureView;
  files: SourceFiles;
}

/** Every feature of a view by its name in the view, computed ones included. */
export function featuresOf({ features, on_demand: onDemand }: FeatureView) {
  return Object.entries({ ...features, ...onDemand }).map(([name, { type }]) => ({ name, type }));
}

/**
 * Joins views to a table of moments, each row with what was known then.
 * @param asked name of a table with `_ask` (unique), `_entity`, `_at_us`, and the values of requests under their names, where it has them
 * @returns name of a table with `_ask` and, for each view, `<view>__<feature>`, `<view>__status` and `<view>__age_seconds`
 */
export async function joinViews(
  connection: DuckDBConnection,
  asked: string,
  views: readonly JoinedView[],
  askedColumns: ReadonlySet<string>,
): Promise<string> {
  const joins: string[] = [];
  const columns: string[] = [];
  for (const [at, { view, definition, files }] of views.entries()) {
    await refuseUnsafeSql(connection, definition);
    const rows = await openViewRows(connection, definition, files, `_rows_${at}`);
    const request = Object.entries(definition.request).map(([name, { type }]) =>
      askedColumns.has(name)
        ? `a.${quoteIdentifier(name)} AS ${quoteIdentifier(name)}`
        : `CAST(NULL AS ${type === 'number' ? 'DOUBLE' : type === 'boolean' ? 'BOOLEAN' : 'VARCHAR'}) AS ${quoteIdentifier(name)}`,
    );
    const stored = `SELECT h.*${request.length > 0 ? `, ${request.join(', ')}` : ''} FROM (${historicalSql(definition, rows, asked)}) h JOIN ${asked} a USING (_ask)`;
    const computed = onDemandSql(definition);
    await connection.run(
      `CREATE TEMP TABLE _view_${at} AS SELECT *${computed.length > 0 ? `, ${computed.join(', ')}` : ''} FROM (${stored})`,
    );
    joins.push(`JOIN _view_${at} v${at} USING (_ask)`);
    const named = [...featuresOf(definition).map(({ name }) => [name, name] as const), ['_status', 'status'] as const];
    for (const [from, to] of [...named, ['_age_seconds', 'age_seconds'] as const])
      columns.push(`v${at}.${quoteIdentifier(from)} AS ${quoteIdentifier(featureNameOf(view, to))}`);
  }
  await connection.run(
    `CREATE TEMP TABLE _joined AS SELECT a._ask, ${columns.join(', ')} FROM ${asked} a ${joins.join(' ')}`,
  );
  return '_joined';
}
