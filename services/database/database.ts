import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { ServiceError } from '../../core/errors.js';
import { isTracing } from '../telemetry/tracing.js';
import { PrismaClient } from './generated/client.js';
import { TracedClient } from './traced-client.js';
import { WatchedClient } from './watched-client.js';

export type { Prisma } from './generated/client.js';

/** The typed client and, for `LISTEN`, COPY and bulk inserts, the pool below it. */
export interface Database {
  prisma: PrismaClient;
  pool: pg.Pool;
  close(): Promise<void>;
}

/**
 * Opens a pool that connects on first use, so that a process starts while PostgreSQL is away.
 * A call waits at most 3 s for a connection and 30 s for an answer (35 s where the server says nothing any more).
 */
export function openDatabase(url: string, onError: (error: Error) => void): Database {
  const settings = { connectionString: url, max: 10, connectionTimeoutMillis: 3000, idleTimeoutMillis: 30_000 };
  // A server whose machine has died says nothing: the system asks it, and ends connections to nobody.
  const alive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };
  const Client = isTracing() ? TracedClient : WatchedClient;
  const pool = new pg.Pool({ ...settings, ...alive, Client, statement_timeout: 30_000 });
  pool.on('error', onError);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    async close() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

const AWAY =
  /ERR_TLS_|SELF_SIGNED_CERT|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|UNABLE_TO_(?:VERIFY|GET_ISSUER)|does not support SSL|ECONNREFUSED|ECONNRESET|EPIPE|Connection terminated|timeout exceeded when trying to connect|57P0[123]|the database system is|Can't reach database|server (?:has )?closed the connection|P1017|\b53[123]00\b/i;

/** Whether a failure means that PostgreSQL is away, rather than that it said no. */
export function isDatabaseAway(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { code, meta } = cause as { code?: unknown; meta?: unknown };
    if (AWAY.test(`${cause.message} ${String(code ?? '')} ${meta ? JSON.stringify(meta) : ''}`)) return true;
  }
  return false;
}

/** Runs a database call of a request; an absent database becomes a 503 that says when to try again. */
export async function withDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDatabaseAway(error))
      throw new ServiceError(
        'dependency_unavailable',
        'The database cannot be reached at present. Try again shortly.',
        [],
        2,
      );
    throw error;
  }
}
