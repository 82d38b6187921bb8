import type { DuckDBConnection } from '@duckdb/node-api';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { FeatureView } from '../../core/schemas/feature-view.js';
import { queryRows, quoteIdentifier } from '../duckdb.js';
import { featuresSql, filesSql } from './point-in-time-sql.js';

/** The Parquet files of each data type that a view reads. */
export type SourceFiles = Readonly<Record<string, readonly string[]>>;

/** The data types that a view reads. */
export function dataTypesOf({ source, sources }: FeatureView): string[] {
  return source === undefined ? Object.keys(sources ?? {}) : [source];
}

/**
 * Makes the rows of a view a relation of the connection, numbered as `_row` in an order that is the same each time.
 * @param untilUs only rows of the sources that were known by then
 * @returns its name
 * @throws ServiceError `request_invalid` where the data lacks a column, or the SQL cannot run on it
 */
export async function openViewRows(
  connection: DuckDBConnection,
  view: FeatureView,
  files: SourceFiles,
  as: string,
  untilUs?: bigint,
): Promise<string> {
  const name = quoteIdentifier(as);
  if (view.source !== undefined) {
    await connection.run(`CREATE OR REPLACE TEMP VIEW ${name} AS ${filesSql(files[view.source] ?? [])}`);
  } else {
    for (const [source, { available_time: available }] of Object.entries(view.sources ?? {})) {
      const known =
        untilUs === undefined || available === null
          ? ''
          : `WHERE epoch_us(TRY_CAST(${quoteIdentifier(available)} AS TIMESTAMP)) <= ${untilUs}`;
      await connection.run(
        `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(source)} AS SELECT * EXCLUDE (_row) FROM (${filesSql(files[source] ?? [])}) ${known}`,
      );
    }
    await asProblem('sql', () =>
      connection.run(
        `CREATE OR REPLACE TEMP TABLE ${name} AS SELECT *, row_number() OVER () AS _row FROM (SELECT * FROM (${view.sql}\n) ORDER BY ALL)`,
      ),
    );
  }
  await refuseMissingColumns(connection, view, name);
  await asProblem('features', () => connection.run(`SELECT ${featuresSql(view)} FROM ${name} LIMIT 0`));
  return name;
}

/** What DuckDB says of a text of the caller is the caller's to read. */
async function asProblem(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n\n', 1)[0]!.slice(0, 500);
    throw new ServiceError('request_invalid', `The view does not fit its data: ${message}`, [{ path, message }]);
  }
}

async function refuseMissingColumns(connection: DuckDBConnection, view: FeatureView, name: string): Promise<void> {
  const described = await queryRows<{ column_name: string }>(connection, `DESCRIBE ${name}`);
  const known = new Set(described.map((column) => column.column_name));
  const { entity, event_time, available_time, sequence } = view;
  const needed = { entity, event_time, available_time, sequence };
  const problems = Object.entries(needed).flatMap(([path, column]): FieldProblem[] =>
    column === undefined || known.has(column)
      ? []
      : [
          {
            path,
            message: `names the column ${column}, which the data lacks; it has ${[...known].filter((one) => one !== '_row').join(', ')}`,
          },
        ],
  );
  if (problems.length > 0)
    throw new ServiceError('request_invalid', `The view does not fit its data: ${problems[0]!.message}.`, problems);
}
