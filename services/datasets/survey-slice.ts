import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows } from '../duckdb.js';
import { countTypes } from './column-types.js';
import { withSlice, type OpenSlice, type SliceInput } from './open-slice.js';
import type { SliceSurvey } from './settle-schema.js';
import { cellOf, isTextOf, jsonLines, sliceRelation, type SliceColumn } from './slice-relation.js';
import { MOST_COLUMNS } from './slices.js';

/**
 * Looks at all cells of a slice: which columns it has, and what their cells look like. Of JSON the columns are the keys of its objects.
 * @throws ServiceError `source_unreadable`
 */
export function surveySlice(input: SliceInput): Promise<SliceSurvey> {
  return withSlice(input, async (connection, open) => {
    const { layout } = open;
    if (layout.format === 'parquet' || layout.sourceColumns) return { columns: [] };
    const columns: SliceColumn[] =
      layout.format === 'csv' ? layout.names.map((key, at) => ({ key, at })) : await listJsonKeys(connection, open);
    const relation = `(${sliceRelation(layout, open.slice, open.file, columns)})`;
    const counts = await countTypes(
      connection,
      relation,
      columns.map((_column, index) => ({
        cell: cellOf(index),
        ...(layout.format === 'csv' ? {} : { isText: isTextOf(index) }),
      })),
    );
    return { columns: columns.map(({ key }, index) => ({ key, counts: counts[index]! })) };
  });
}

/** Keys in the order in which they first appear; one more than is allowed, so that too many are told. */
async function listJsonKeys(connection: DuckDBConnection, { file }: OpenSlice): Promise<SliceColumn[]> {
  const keys = await queryRows<{ key: string }>(
    connection,
    `SELECT key FROM (SELECT unnest(keys) AS key, unnest(range(len(keys))) AS place, line_number
       FROM (SELECT json_keys(line) AS keys, line_number FROM (SELECT *, row_number() OVER () AS line_number FROM (${jsonLines(file)})) WHERE is_object))
     GROUP BY key ORDER BY min(line_number), min(place) LIMIT ${MOST_COLUMNS + 1}`,
  );
  return keys.map(({ key }) => ({ key, at: undefined }));
}
