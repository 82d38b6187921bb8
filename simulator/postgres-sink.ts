import pg from 'pg';
import { copyRows } from './copy-rows.js';
import type { RowBatch, SimulationSink } from './simulate-platform.js';
import { SimulationInputError } from './simulation-parameters.js';
import { SOURCE_TABLES, type ColumnType, type SourceTable } from './source-tables.js';

const POSTGRES_TYPES: Record<ColumnType, string> = {
  text: 'text',
  integer: 'integer',
  double: 'double precision',
  timestamp: 'timestamptz',
  json: 'jsonb',
};
/** The comment by which the simulator knows its own tables: it never empties any other. */
const MARK = 'Filled by the platform simulator';

/**
 * Writes into a PostgreSQL database in one transaction: the tables are made where they are absent, emptied and filled, so
 * that any run leaves exactly its own rows, and a run that fails leaves what was there. Refuses a table of the same name
 * that the simulator did not make.
 */
export async function openPostgresSink(databaseUrl: string): Promise<SimulationSink> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    for (const table of Object.values(SOURCE_TABLES)) await prepareTable(client, table);
  } catch (error) {
    await client.end();
    throw error;
  }
  return {
    async write({ table, rows }: RowBatch) {
      await copyRows(client, SOURCE_TABLES[table], rows);
    },
    async finish() {
      await client.query('COMMIT');
      await client.query(`ANALYZE ${Object.keys(SOURCE_TABLES).join(', ')}`);
      await client.end();
    },
    async abandon() {
      await client.end();
    },
  };
}

/** The statements that make a table with its key, its index and its mark. */
export function createTableSql({ name, columns, key, cursor }: SourceTable): string {
  const definitions = columns.map(
    (column) => `${column.name} ${POSTGRES_TYPES[column.type]}${column.nullable === true ? '' : ' NOT NULL'}`,
  );
  return `CREATE TABLE ${name} (${definitions.join(', ')}, PRIMARY KEY (${key.join(', ')}));
CREATE INDEX ${name}_${cursor}_idx ON ${name} (${cursor});
COMMENT ON TABLE ${name} IS '${MARK}';`;
}

async function prepareTable(client: pg.Client, table: SourceTable): Promise<void> {
  const found = await client.query<{ mark: string | null }>(
    "SELECT obj_description(to_regclass($1), 'pg_class') AS mark WHERE to_regclass($1) IS NOT NULL",
    [table.name],
  );
  const [existing] = found.rows;
  if (existing === undefined) {
    await client.query(createTableSql(table));
    return;
  }
  if (existing.mark !== MARK) {
    throw new SimulationInputError(
      `The database already has a table "${table.name}" that the simulator did not make, and it will not empty it. Name another database in --database-url.`,
    );
  }
  await client.query(`TRUNCATE ${table.name}`);
}
