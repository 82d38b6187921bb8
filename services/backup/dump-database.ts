import { createGzip } from 'node:zlib';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { MIGRATION_LEDGER } from '../database/apply-migrations.js';
import { SteadyClient } from '../database/steady-client.js';
import { writeChecked, type BackupManifest, type BackupTable, type Digests } from './backup-folder.js';

/** Level 1: on JSON it takes a third of the time of the default, for a tenth more bytes. */
const GZIP = { level: 1 };
const COPY_OPTIONS = `(FORMAT text, ENCODING 'UTF8')`;

type DatabasePart = Pick<BackupManifest, 'migrations' | 'tables' | 'partitions' | 'sequences'>;

/** Files that the rows of the snapshot refer to, and the digests that these rows tell. */
export interface ReferredFiles {
  datasets: { id: string; digest: string }[];
  versions: { model: string; digest: string }[];
  uploads: { id: string; format: string; compression: string; digest: string }[];
}

/** A view of the database as of one moment, however long the reader takes; nobody waits for it. */
export async function openSnapshot(databaseUrl: string): Promise<pg.Client> {
  const client = new SteadyClient({ connectionString: databaseUrl, application_name: 'ml-pipeline-backup' });
  await client.connect();
  await client.query(
    'SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET extra_float_digits = 3',
  );
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  // The snapshot is that of the first statement that reads.
  await client.query(`SELECT count(*) FROM "${MIGRATION_LEDGER}"`);
  return client;
}

/** Our tables, each with the columns that are stored. A partitioned one counts as one. */
export async function listTables(client: pg.Client): Promise<{ name: string; columns: string[] }[]> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname <> $1 GROUP BY c.relname ORDER BY c.relname`,
    [MIGRATION_LEDGER],
  );
  return rows;
}

/** Copies every table of the snapshot into `database/` of the folder. Memory does not grow with a table. */
export async function dumpDatabase(client: pg.Client, folder: string, digests: Digests): Promise<DatabasePart> {
  const tables: BackupTable[] = [];
  for (const { name, columns } of await listTables(client)) {
    const file = `database/${name}.copy.gz`;
    const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
    const stream = client.query(
      copyTo(`COPY (SELECT ${list} FROM ${pg.escapeIdentifier(name)}) TO STDOUT WITH ${COPY_OPTIONS}`),
    );
    const { sha256 } = await writeChecked(stream, `${folder}/${file}`, [createGzip(GZIP)]);
    digests.set(file, sha256);
    tables.push({ name, columns, rows: stream.rowCount, file });
  }
  const { rows: migrations } = await client.query<{ name: string; checksum: string }>(
    `SELECT migration_name AS name, checksum FROM "${MIGRATION_LEDGER}"
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name`,
  );
  const { rows: partitions } = await client.query<{ table: string; name: string; bound: string }>(
    `SELECT parent.relname AS "table", child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound
     FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
     WHERE child.relnamespace = current_schema()::regnamespace AND child.relispartition AND child.relkind = 'r'
     ORDER BY child.relname`,
  );
  // Sequences know no snapshot: they are as far as any row of it, or further.
  const { rows: sequences } = await client.query<{ name: string; last_value: string }>(
    `SELECT sequencename AS name, last_value::text FROM pg_sequences
     WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY sequencename`,
  );
  return { migrations, tables, partitions, sequences };
}

/** Which files the rows of the snapshot need. */
export async function listReferred(client: pg.Client): Promise<ReferredFiles> {
  const { rows: datasets } = await client.query<ReferredFiles['datasets'][number]>(
    'SELECT id, digest FROM datasets ORDER BY id',
  );
  const { rows: versions } = await client.query<ReferredFiles['versions'][number]>(
    'SELECT DISTINCT model, digest FROM model_versions ORDER BY model, digest',
  );
  const { rows: uploads } = await client.query<ReferredFiles['uploads'][number]>(
    'SELECT id, format, compression, digest FROM uploads ORDER BY id',
  );
  return { datasets, versions, uploads };
}
