import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Connector, SourceContext, SourceRequest } from './connector.js';
import { copyFromPostgres } from './copy-from-postgres.js';
import { forbiddenSource, parsePostgresUrl, sourceLabel, unsealSource } from './seal-source.js';

/** A table or a query of a PostgreSQL database, copied as of one moment. */
export const postgresConnector: Connector = {
  title: 'postgresql:// sources',
  options: ['table', 'query'],

  async check(request, context) {
    const url = await openPostgresUrl(request, context);
    const { table, query } = request.options;
    if (!table && !query)
      throw new ServiceError('request_invalid', 'A PostgreSQL source needs a table or a query.', [
        { path: 'options.table', message: 'is needed for a postgresql:// source (or options.query)' },
      ]);
    return `${sourceLabel(url)}${table ? `#${table}` : ''}`;
  },

  // One COPY: parts of their own would need a transaction that stays open until the last of them, wherever it runs.
  async plan(request, context) {
    const label = await this.check(request, context);
    return { parts: [{ id: '0000001-copy', label, read: {} }] };
  },

  async fetch(request, _part, context) {
    const { table, query, columns: only } = request.options;
    const url = await openPostgresUrl(request, context);
    const file = join(context.folder, `${context.attempt}-copy.csv`);
    const copied = await copyFromPostgres(
      { url, table, query, columns: only, file, signal: context.signal },
      context.onProgress,
    );
    const { size } = await stat(file);
    return { path: file, format: 'csv', compression: 'none', bytes: size, columns: copied.columns };
  },
};

/** The address with its credentials. @throws ServiceError `source_forbidden` */
async function openPostgresUrl({ source }: SourceRequest, { database }: SourceContext): Promise<string> {
  const credential = parsePostgresUrl(source).searchParams.get('credential');
  const url = parsePostgresUrl(await unsealSource(database, source, credential));
  for (const name of url.searchParams.keys()) {
    if (name !== 'sslmode')
      throw forbiddenSource(
        `The source may not set "${name.slice(0, 40)}". Of the connection parameters only sslmode is allowed.`,
      );
  }
  if (!url.hostname || url.pathname.length < 2)
    throw forbiddenSource('The source needs a host and a database: postgresql://user:password@host:port/database.');
  return url.href;
}
