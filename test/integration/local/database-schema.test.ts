import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbeddedPostgres } from '../../../infra/local/embedded-postgres.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { FILLED_BY_MIGRATIONS } from '../../../services/backup/load-database.js';
import { applyMigrations } from '../../../services/database/apply-migrations.js';
import { projectRoot } from '../../../services/project-root.js';

/** Prisma's types as PostgreSQL names them. */
const TYPES: Record<string, string> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Float: 'double precision',
  Boolean: 'boolean',
  Json: 'jsonb',
  Bytes: 'bytea',
  DateTime: 'timestamp with time zone',
};

/** `table.column type null?` of every field in prisma/schema.prisma. */
function columnsOfSchema(): string[] {
  const schema = readFileSync(join(projectRoot(), 'prisma', 'schema.prisma'), 'utf8');
  return [...schema.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)].flatMap(([, body]) => {
    const table = /@@map\("(\w+)"\)/.exec(body!)![1];
    // A relation is no column.
    const fields = [...body!.matchAll(/^ {2}(\w+) +(\w+)(\?)?(.*)$/gm)].filter(([, , type]) => TYPES[type!]);
    return fields.map(
      ([, name, type, optional, rest]) =>
        `${table}.${/@map\("(\w+)"\)/.exec(rest!)?.[1] ?? name} ${rest!.startsWith('[]') ? 'ARRAY' : TYPES[type!]}${optional ? ' null' : ''}`,
    );
  });
}

let folder: string;
let server: Awaited<ReturnType<typeof startEmbeddedPostgres>>;
let client: pg.Client;

async function connect(): Promise<pg.Client> {
  const next = new pg.Client({ connectionString: server.url });
  next.on('error', () => undefined);
  await next.connect();
  return next;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-schema-'));
  server = await startEmbeddedPostgres({ stateDir: folder });
  client = await connect();
});
afterAll(async () => {
  await client.end().catch(() => undefined);
  await server.stop();
  deleteStateFolder(folder);
});

describe('the database', () => {
  it('gets every migration once, also when two processes start at the same time', async () => {
    const [one, two] = await Promise.all([applyMigrations(server.url), applyMigrations(server.url)]);
    expect(one.applied.length + two.applied.length).toBeGreaterThan(0);
    expect(Math.min(one.applied.length, two.applied.length)).toBe(0);
    expect((await applyMigrations(server.url)).applied).toEqual([]);
  });

  it('has exactly the columns that the Prisma schema says', async () => {
    const { rows } = await client.query<{ column: string }>(
      `SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'YES' THEN ' null' ELSE '' END AS column
       FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'`,
    );
    expect(rows.map((row) => row.column).sort()).toEqual(columnsOfSchema().sort());
  });

  it('is empty after them but for the tables that a restore empties first', async () => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> '_prisma_migrations'`,
    );
    const filled: string[] = [];
    for (const { name } of rows)
      if ((await client.query(`SELECT 1 FROM ${pg.escapeIdentifier(name)} LIMIT 1`)).rowCount) filled.push(name);
    expect(filled.sort()).toEqual([...FILLED_BY_MIGRATIONS].sort());
  });

  it('refuses a migration that was changed after it had been applied', async () => {
    await client.query(`UPDATE _prisma_migrations SET checksum = 'another'`);
    await expect(applyMigrations(server.url)).rejects.toThrow(/was changed after it had been applied/);
  });

  it('keeps what was committed through a kill -9', async () => {
    await client.query('CREATE TABLE kept (n int)');
    await client.query('INSERT INTO kept SELECT * FROM generate_series(1, 1000)');
    await server.kill9();
    server = await startEmbeddedPostgres({ stateDir: folder });
    client = await connect();
    expect((await client.query('SELECT count(*)::int AS n FROM kept')).rows).toEqual([{ n: 1000 }]);
  });
});
