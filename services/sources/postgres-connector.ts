import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Connector, FetchedPart, SourceContext, SourceRequest } from './connector.js';
import { copyFromPostgres } from './copy-from-postgres.js';
import { postgresAddress, type PostgresAddress } from './postgres-address.js';
import { sourceLabel, unsealSource } from './seal-source.js';
import { findWatermark, notePull } from './watermark.js';

/** A table or a query of a PostgreSQL database, copied as of one moment. */
export const postgresConnector: Connector = {
  title: 'postgresql:// sources',
  options: ['table', 'query', 'cursor_column', 'cursor_overlap'],

  async check(request, context) {
    const { connectionString } = await openAddress(request, context);
    const { table, query } = request.options;
    if (!table && !query)
      throw new ServiceError('request_invalid', 'A PostgreSQL source needs a table or a query.', [
        { path: 'options.table', message: 'is needed for a postgresql:// source (or options.query)' },
      ]);
    return `${sourceLabel(connectionString)}${table ? `#${table}` : ''}`;
  },

  // One COPY: parts of their own would need a transaction that stays open until the last of them, wherever it runs.
  async plan(request, context) {
    const label = await this.check(request, context);
    return { parts: [{ id: '0000001-copy', label, read: {} }] };
  },

  async fetch(request, _part, context) {
    const { table, query, columns: only, cursor_column: column, cursor_overlap: overlap = 0 } = request.options;
    const address = await openAddress(request, context);
    const label = await this.check(request, context);
    const from = column === undefined ? undefined : await findWatermark(context.database, request, label);
    const file = join(context.folder, `${context.attempt}-copy.csv`);
    const increment = from && column !== undefined ? { column, overlap, from } : undefined;
    const { columns, rows, readTo } = await copyFromPostgres(
      { address, table, query, columns: only, increment, file, signal: context.signal },
      context.onProgress,
    );
    if (from?.value !== undefined && rows === 0)
      throw new ServiceError('source_unchanged', `The source has no row behind ${column} = ${from.value}.`);
    const fetched: FetchedPart = {
      path: file,
      format: 'csv',
      compression: 'none',
      bytes: (await stat(file)).size,
      columns,
    };
    if (!from || !readTo) return fetched;
    const pull = { request, label, attempt: context.attempt, from, to: readTo };
    return { ...fetched, pull: await notePull(context.database, pull) };
  },
};

/** @throws ServiceError `source_forbidden` */
async function openAddress({ source }: SourceRequest, { database, config }: SourceContext): Promise<PostgresAddress> {
  return postgresAddress(await unsealSource(database, source), config.sources.caFile);
}
