import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { projectRoot } from '../project-root.js';
import { isDatabaseAway } from './database.js';
import { SteadyClient } from './steady-client.js';

/** Any number that no other user of the same database takes; it serialises migrations that start at once. */
const ADVISORY_LOCK = 7_233_001;

const NO_SUCH_TABLE = '42P01';

/** The table that `prisma migrate deploy` keeps, so that either tool can take over from the other. */
export const MIGRATION_LEDGER = '_prisma_migrations';
const LEDGER = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`;

/**
 * Brings the database up to the newest schema: applies each `prisma/migrations/<name>/migration.sql` that has not
 * been applied, in the order of their names, each in one transaction together with its ledger row.
 * Safe to call from several processes at once and again after a crash. Prisma's own command does the same but
 * downloads an engine first, which fails without internet.
 * @param isWanted leaves the others for a later call: a backup is loaded into the schema that it was made of
 * @throws Error when an applied migration was edited afterwards (its checksum differs).
 */
export async function applyMigrations(
  databaseUrl: string,
  isWanted: (name: string) => boolean = () => true,
): Promise<{ applied: string[] }> {
  const client = new SteadyClient({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
    await client.query(LEDGER);
    const applied: string[] = [];
    for (const { name, sql, checksum } of await readMigrations()) {
      if (isWanted(name) && (await applyMigration(client, name, sql, checksum))) applied.push(name);
    }
    return { applied };
  } finally {
    await client.end();
  }
}

/** The migrations of this release, in the order in which they are applied. */
export async function readMigrations(): Promise<{ name: string; sql: string; checksum: string }[]> {
  const folder = join(projectRoot(), 'prisma', 'migrations');
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function applyMigration(client: pg.Client, name: string, sql: string, checksum: string): Promise<boolean> {
  const known = await client.query<{ checksum: string }>(
    'SELECT checksum FROM "_prisma_migrations" WHERE migration_name = $1 AND rolled_back_at IS NULL AND finished_at IS NOT NULL',
    [name],
  );
  const before = known.rows[0];
  if (before) {
    if (before.checksum === checksum) return false;
    throw new Error(
      `Migration ${name} was changed after it had been applied. Restore prisma/migrations/${name}/migration.sql and put the change into a new migration.`,
    );
  }
  await client.query('BEGIN');
  try {
    await client.query(sql);
    await client.query(
      'INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count) VALUES ($1, $2, now(), $3, 1)',
      [randomUUID(), checksum, name],
    );
    await client.query('COMMIT');
    return true;
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`Migration ${name} failed: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * The migrations of this release that the database has not; all of them while it is away or empty. Those of a newer release do not count:
 * the former one goes on with the new schema.
 */
export async function pendingMigrations(databaseUrl: string): Promise<string[]> {
  const wanted = (await readMigrations()).map(({ name }) => name);
  const client = new SteadyClient({ connectionString: databaseUrl, connectionTimeoutMillis: 3000 });
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `SELECT migration_name AS name FROM "${MIGRATION_LEDGER}" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
    );
    const applied = new Set(rows.map(({ name }) => name));
    return wanted.filter((name) => !applied.has(name));
  } catch (error) {
    const { code } = error as { code?: string };
    if (isDatabaseAway(error) || code === NO_SUCH_TABLE) return wanted;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}
