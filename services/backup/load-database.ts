import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { applyMigrations, MIGRATION_LEDGER, readMigrations } from '../database/apply-migrations.js';
import { SteadyClient } from '../database/steady-client.js';
import type { BackupManifest } from './backup-folder.js';
import { listTables } from './dump-database.js';

/** Tables in which a new database has rows already, written by its migrations; those of the backup take their place. */
export const FILLED_BY_MIGRATIONS: readonly string[] = ['rollup_cursors', 'audit_head'];

/**
 * @throws Error unless this release has every migration of the backup, unchanged: rows of a newer schema fit no older one
 */
export async function refuseNewerBackup({ migrations, release }: BackupManifest): Promise<void> {
  const known = new Map((await readMigrations()).map(({ name, checksum }) => [name, checksum]));
  for (const { name, checksum } of migrations) {
    if (known.get(name) === checksum) continue;
    const what = known.has(name) ? 'has another content here' : 'is not in this release';
    throw new Error(
      `The backup was made by release ${release} with the migration ${name}, which ${what}. Restore with that release or a newer one.`,
    );
  }
}

/** @throws Error where a table has rows, or the schema is already newer than the rows of the backup */
export async function refuseFilledDatabase(databaseUrl: string, { migrations }: BackupManifest): Promise<void> {
  await withClient(databaseUrl, async (client) => {
    for (const { name } of await listTables(client)) {
      if (FILLED_BY_MIGRATIONS.includes(name)) continue;
      const { rowCount } = await client.query(`SELECT 1 FROM ${pg.escapeIdentifier(name)} LIMIT 1`);
      if (rowCount === 0) continue;
      throw new Error(
        `The database is not empty: its table ${name} has rows. Restore into a new database, and point DATABASE_URL there.`,
      );
    }
    const { rows } = await client.query<{ ledger: string | null }>('SELECT to_regclass($1)::text AS ledger', [
      `"${MIGRATION_LEDGER}"`,
    ]);
    if (!rows[0]?.ledger) return;
    const applied = await client.query<{ name: string }>(
      `SELECT migration_name AS name FROM "${MIGRATION_LEDGER}" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
    );
    const known = new Set(migrations.map(({ name }) => name));
    const newer = applied.rows.find(({ name }) => !known.has(name));
    if (newer)
      throw new Error(
        `The database has the migration ${newer.name} already, which is newer than the backup. Restore into a new database; the newer migrations are applied after its rows are in.`,
      );
  });
}

/**
 * Brings an empty database to the schema of the backup, loads every row of it in one transaction, and then applies what this release has
 * added to the schema since. After a kill it is as empty as before, and this can be repeated.
 */
export async function loadDatabase(databaseUrl: string, folder: string, manifest: BackupManifest): Promise<void> {
  const wanted = new Set(manifest.migrations.map(({ name }) => name));
  await applyMigrations(databaseUrl, (name) => wanted.has(name));
  await withClient(databaseUrl, async (client) => {
    await client.query('SET statement_timeout = 0');
    await client.query('BEGIN');
    const enable = await disableTriggers(client);
    for (const { table, name, bound } of manifest.partitions)
      await client.query(
        `CREATE TABLE IF NOT EXISTS ${pg.escapeIdentifier(name)} PARTITION OF ${pg.escapeIdentifier(table)} ${bound}`,
      );
    const order = await tablesBeforeTheirReferrers(client);
    const tables = manifest.tables.toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
    for (const table of tables) await loadTable(client, folder, table);
    for (const { name, last_value } of manifest.sequences)
      await client.query('SELECT setval($1::regclass, $2::bigint)', [pg.escapeIdentifier(name), last_value]);
    for (const statement of enable) await client.query(statement);
    await settleArrivals(client);
    await client.query('COMMIT');
    // The server does so by itself, but later, and never for a partitioned table as a whole; until then it plans as if all were small.
    await client.query(`ANALYZE ${order.map((name) => pg.escapeIdentifier(name)).join(', ')}`);
  });
  await applyMigrations(databaseUrl);
}

/**
 * Transactions of another cluster may have smaller numbers than those that the rows of the backup carry: the sums of the log would wait for these to
 * come, and miss what arrives until then. A backup of a release without the function gets it, and is settled, by the migrations that follow.
 */
async function settleArrivals(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ known: boolean }>(`SELECT to_regproc('settle_arrivals') IS NOT NULL AS known`);
  if (rows[0]!.known) await client.query('SELECT settle_arrivals()');
}

async function loadTable(client: pg.Client, folder: string, table: BackupManifest['tables'][number]): Promise<void> {
  const list = table.columns.map((column) => pg.escapeIdentifier(column)).join(', ');
  if (FILLED_BY_MIGRATIONS.includes(table.name)) await client.query(`DELETE FROM ${pg.escapeIdentifier(table.name)}`);
  const into = client.query(
    copyFrom(`COPY ${pg.escapeIdentifier(table.name)} (${list}) FROM STDIN WITH (FORMAT text, ENCODING 'UTF8')`),
  );
  await pipeline(createReadStream(join(folder, table.file)), createGunzip(), into);
  if (into.rowCount !== table.rows)
    throw new Error(`The table ${table.name} took ${into.rowCount} rows of the backup's ${table.rows}.`);
}

/**
 * The rows are there already that triggers would write, or refuse. Needs the owner of the tables, no superuser.
 * @returns what puts each trigger back as it was
 */
async function disableTriggers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ table: string; name: string; enabled: 'O' | 'A' | 'R' }>(
    `SELECT c.relname AS "table", t.tgname AS name, t.tgenabled AS enabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled <> 'D'`,
  );
  const modes = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' };
  const statement = (table: string, mode: string, name: string) =>
    `ALTER TABLE ${pg.escapeIdentifier(table)} ${mode} TRIGGER ${pg.escapeIdentifier(name)}`;
  for (const { table, name } of rows) await client.query(statement(table, 'DISABLE', name));
  return rows.map(({ table, name, enabled }) => statement(table, modes[enabled], name));
}

/** So that a foreign key finds its row. */
async function tablesBeforeTheirReferrers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ referrer: string; referred: string }>(
    `SELECT r.relname AS referrer, f.relname AS referred FROM pg_constraint k
     JOIN pg_class r ON r.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
     WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND k.connamespace = current_schema()::regnamespace`,
  );
  const order: string[] = [];
  const visit = (name: string, path: readonly string[]) => {
    if (order.includes(name)) return;
    if (path.includes(name)) throw new Error(`The foreign keys of ${[...path, name].join(', ')} form a circle.`);
    for (const { referrer, referred } of rows) if (referrer === name) visit(referred, [...path, name]);
    order.push(name);
  };
  for (const { name } of await listTables(client)) visit(name, []);
  return order;
}

async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new SteadyClient({ connectionString: databaseUrl, application_name: 'ml-pipeline-restore' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
