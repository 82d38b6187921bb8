import type { Database } from '../database/database.js';
import type { Destination } from '../spool/ship-spool.js';
import { parseEventLine } from './event-line.js';

const DAY_MS = 86_400_000;
/** Classes of SQLSTATE that are about the data: 22 data exception, 23 integrity constraint violation. */
const OF_DATA = /^2[23]/;
const DELETED_AT_ONCE = 50_000;

export interface EventStore extends Destination {
  /** Deletes events that were received before the retention. @returns how many */
  applyRetention: (days: number, now: Date) => Promise<number>;
}

/** The table of events. The first of an id stays, whatever is sent again under it. */
export function createEventStore({ pool }: Database): EventStore {
  return {
    async write(rows) {
      const events = rows.map(parseEventLine);
      await pool.query(
        `INSERT INTO events (data_type, event_id, received_at, payload)
         SELECT data_type, event_id, to_timestamp(received / 1000.0), payload
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS row(data_type, event_id, received, payload)
         ON CONFLICT DO NOTHING`,
        [
          events.map(({ dataType }) => dataType),
          events.map(({ id }) => id),
          events.map(({ receivedMs }) => receivedMs),
          events.map(({ text }) => text),
        ],
      );
    },
    isOfRows: (error) => OF_DATA.test(String((error as { code?: unknown }).code ?? '')),
    async applyRetention(days, now) {
      if (days === 0) return 0;
      const before = new Date(now.getTime() - days * DAY_MS);
      for (let sum = 0; ;) {
        const { rowCount } = await pool.query(
          'DELETE FROM events WHERE ctid = ANY (ARRAY(SELECT ctid FROM events WHERE received_at < $1 LIMIT $2))',
          [before, DELETED_AT_ONCE],
        );
        sum += rowCount ?? 0;
        if ((rowCount ?? 0) < DELETED_AT_ONCE) return sum;
      }
    },
  };
}
