import type { Database } from '../database/database.js';
import { readPage, type PageRequest } from '../database/read-page.js';

export const AUDIT_KINDS = ['call', 'denied', 'change', 'decision', 'key_use'] as const;

/** What is written down; never a secret, a feature value or the name of a person that predictions are about. */
export interface AuditNote {
  kind: (typeof AUDIT_KINDS)[number];
  action: string;
  subject: string;
  role?: string;
  address?: string;
  model?: string;
  target?: string;
  status?: number;
  correlationId?: string;
  detail?: Record<string, unknown>;
}

export interface AuditFilter {
  kind?: string;
  action?: string;
  subject?: string;
  model?: string;
  target?: string;
  correlation_id?: string;
  from?: string;
  to?: string;
}

interface AuditRow {
  seq: string;
  at: string;
  kind: string;
  action: string;
  subject: string;
  role: string | null;
  address: string | null;
  model: string | null;
  target: string | null;
  status: number | null;
  correlation_id: string | null;
  detail: Record<string, unknown>;
  previous: string;
  hash: string;
}

/** To the microsecond: the hash is taken over it. */
const COLUMNS = `seq, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, kind, action, subject, role, address, model, target, status,
  correlation_id, detail, encode(previous, 'hex') AS previous, encode(hash, 'hex') AS hash`;
const CHUNK_ROWS = 1000;

const present = ({ seq, ...row }: AuditRow) => ({ seq: Number(seq), ...row });
export type AuditEntry = ReturnType<typeof present>;

/** What was done, by whom. The database itself puts entries into their chain (see the migration `audit`). */
export function createAuditLog({ pool }: Database) {
  async function read(filter: AuditFilter, place: string, order: string, take: number): Promise<AuditRow[]> {
    const values: unknown[] = [];
    const conditions = Object.entries(filter).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const at = `$${values.push(value)}`;
      if (name === 'from') return [`at >= ${at}::timestamptz`];
      return [name === 'to' ? `at < ${at}::timestamptz` : `${name} = ${at}`];
    });
    const where = [place, ...conditions].join(' AND ');
    const text = `SELECT ${COLUMNS} FROM audit_log WHERE ${where} ORDER BY seq ${order} LIMIT ${take}`;
    return (await pool.query<AuditRow>(text, values)).rows;
  }

  return {
    /** Writes an entry in a transaction of its own. */
    async note({ kind, action, subject, role, address, model, target, status, correlationId, detail }: AuditNote) {
      await pool.query(
        `INSERT INTO audit_inbox (kind, action, subject, role, address, model, target, status, correlation_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [kind, action, subject, role, address, model, target, status, correlationId, JSON.stringify(detail ?? {})],
      );
    },

    /** A page of entries, newest first. */
    async list(filter: AuditFilter, page: PageRequest) {
      const before = page.cursor !== undefined && /^\d{1,15}$/.test(page.cursor) ? page.cursor : undefined;
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          page.cursor !== undefined && before === undefined
            ? Promise.resolve([])
            : read(filter, before === undefined ? 'true' : `seq <= ${before}`, 'DESC', take),
        idOf: (row) => row.seq,
        find: () => Promise.resolve(before),
      });
      return { items: rows.map(present), next_cursor };
    },

    /** All entries, oldest first, a thousand at a time. */
    async *walk(filter: AuditFilter): AsyncGenerator<AuditEntry[]> {
      for (let after = '0'; ;) {
        const rows = await read(filter, `seq > ${after}`, 'ASC', CHUNK_ROWS);
        if (rows.length > 0) yield rows.map(present);
        if (rows.length < CHUNK_ROWS) return;
        after = rows.at(-1)!.seq;
      }
    },
  };
}

export type AuditLog = ReturnType<typeof createAuditLog>;
