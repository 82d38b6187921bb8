import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { ServiceError } from '../../core/errors.js';
import { NAME_PATTERN } from '../../core/names.js';
import type { Connector, SourceRequest } from './connector.js';
import { forbiddenSource } from './seal-source.js';
import { SteadyClient } from '../database/steady-client.js';

/** What was sent to `POST /data/events/{data_type}`, in the order in which it arrived in the database. */
export const eventsConnector: Connector = {
  title: 'events:{data_type}',
  options: ['start_date', 'end_date'],

  async check(request) {
    return `events:${eventTypeOf(request)}`;
  },

  async plan(request) {
    return { parts: [{ id: '0000001-events', label: `events:${eventTypeOf(request)}`, read: {} }] };
  },

  async fetch(request, _part, { config, folder, attempt, signal }) {
    const path = join(folder, `${attempt}-events.ndjson`);
    const client = new SteadyClient({ connectionString: config.databaseUrl, application_name: 'ml-pipeline-ingest' });
    const stop = () => void client.end();
    try {
      await client.connect();
      signal.addEventListener('abort', stop, { once: true });
      await pipeline(client.query(copyTo(copyStatement(request))), createWriteStream(path, { flush: true }), {
        signal,
      });
    } finally {
      signal.removeEventListener('abort', stop);
      await client.end().catch((error: unknown) => void error);
    }
    const { size } = await stat(path);
    if (size === 0)
      throw new ServiceError('source_unreadable', 'No event of this type was received in this time.', [
        { path: 'source', message: 'names a type of data without events in the days asked for' },
      ]);
    return { path, format: 'ndjson', compression: 'none', bytes: size };
  },
};

/** Quotes and delimiters that no JSON has, so that each event comes as it was sent. */
function copyStatement(request: SourceRequest): string {
  const { start_date: start, end_date: end } = request.options;
  const day = (text: string) => `${pg.escapeLiteral(`${text}T00:00:00Z`)}::timestamptz`;
  const conditions = [
    `data_type = ${pg.escapeLiteral(eventTypeOf(request))}`,
    ...(start ? [`received_at >= ${day(start)}`] : []),
    ...(end ? [`received_at < ${day(end)} + interval '1 day'`] : []),
  ];
  const select = `SELECT payload FROM events WHERE ${conditions.join(' AND ')} ORDER BY number`;
  return `COPY (${select}) TO STDOUT WITH (FORMAT csv, HEADER false, QUOTE E'\\x01', DELIMITER E'\\x02')`;
}

function eventTypeOf({ source }: SourceRequest): string {
  const type = source.slice(source.indexOf(':') + 1);
  if (!NAME_PATTERN.test(type)) throw forbiddenSource('The source must name a type of data: events:user_events.');
  return type;
}
