import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { findLeak } from './find-leak.js';
import { joinViews } from './join-views.js';
import { columnsOfView, type PlannedView } from './plan-views.js';
import { filesOfInputs } from './view-inputs.js';
import { lockConnection } from './view-sandbox.js';

/** Beside the table that the fit reads. */
const JOINED_FILE = 'joined.parquet';

export interface JoinedTable {
  views: readonly PlannedView[];
  entity: string;
  timestamp: string;
  /** The rows of the dataset. */
  source: readonly string[];
  datasetsFolder: string;
  staging: string;
}

/**
 * Writes the rows of a dataset, each with the features of its entity as they were known at its time, in the order of the dataset.
 * @returns the Parquet file
 * @throws ServiceError `request_invalid` for a view that does not fit its data, or looks into the future
 */
export async function writeJoinedTable(table: JoinedTable): Promise<string> {
  const { views, entity, timestamp, staging } = table;
  const file = join(staging, JOINED_FILE);
  const partial = `${file}.${process.pid}.partial`;
  const joined = await Promise.all(
    views.map(async (view) => ({ ...view, files: await filesOfInputs(view.inputs, table.datasetsFolder) })),
  );
  const read = [...table.source, ...joined.flatMap(({ files }) => Object.values(files).flat())];
  await mkdir(staging, { recursive: true });
  try {
    await withDuckDb(async (connection) => {
      await lockConnection(connection, [...read, partial]);
      for (const { view, definition, files } of joined) {
        const leak = await findLeak(connection, definition, files);
        if (leak !== undefined)
          throw new ServiceError('request_invalid', `The SQL of ${view} ${leak}.`, [
            { path: 'model_type', message: leak },
          ]);
      }
      const list = table.source.map(quoteText).join(', ');
      await connection.run(
        `CREATE TEMP TABLE asked AS SELECT row_number() OVER () AS _ask, CAST(${quoteIdentifier(entity)} AS VARCHAR) AS _entity,
           epoch_us(TRY_CAST(${quoteIdentifier(timestamp)} AS TIMESTAMP)) AS _at_us, * FROM read_parquet([${list}])`,
      );
      const described = await queryRows<{ column_name: string }>(connection, 'DESCRIBE asked');
      const own = described
        .map((column) => column.column_name)
        .filter((name) => !['_ask', '_entity', '_at_us'].includes(name));
      const result = await joinViews(connection, 'asked', joined, new Set(own));
      const columns = views.flatMap(columnsOfView).map(({ name }) => `j.${quoteIdentifier(name)}`);
      await connection.run(
        `COPY (SELECT ${[...own.map((name) => `a.${quoteIdentifier(name)}`), ...columns].join(', ')}
           FROM asked a JOIN ${result} j USING (_ask) ORDER BY _ask) TO ${quoteText(partial)} (FORMAT parquet)`,
      );
    });
    await rename(partial, file);
    return file;
  } finally {
    await rm(partial, { force: true });
  }
}
