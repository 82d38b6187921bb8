import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance, timestampValue, type DuckDBAppender } from '@duckdb/node-api';
import type { RowBatch, SimulationSink } from './simulate-platform.js';
import { SOURCE_TABLES, type Cell, type ColumnType, type SourceTable } from './source-tables.js';

export const FILE_FORMATS = ['csv', 'parquet'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

const DUCKDB_TYPES: Record<ColumnType, string> = {
  text: 'VARCHAR',
  integer: 'INTEGER',
  double: 'DOUBLE',
  timestamp: 'TIMESTAMP',
  json: 'VARCHAR',
};
const FORMAT_OPTIONS: Record<FileFormat, string> = {
  csv: "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%gZ'",
  parquet: 'FORMAT parquet, COMPRESSION zstd',
};

/**
 * Writes `<table>.<format>` files into a folder. Rows wait in a DuckDB file there, not in memory; each finished file takes
 * the place of an older one by a rename. Times in Parquet are TIMESTAMP in UTC, in CSV ISO-8601 with Z.
 */
export async function openFileSink(folder: string, formats: readonly FileFormat[]): Promise<SimulationSink> {
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(folder, '.simulation-'));
  const instance = await DuckDBInstance.create(join(scratch, 'rows.duckdb'), { threads: '2', memory_limit: '1GB' });
  const connection = await instance.connect();
  const appenders = new Map<string, DuckDBAppender>();
  for (const table of Object.values(SOURCE_TABLES)) {
    await connection.run(
      `CREATE TABLE ${table.name} (${table.columns.map((column) => `${column.name} ${DUCKDB_TYPES[column.type]}`).join(', ')})`,
    );
    appenders.set(table.name, await connection.createAppender(table.name));
  }
  const close = async (): Promise<void> => {
    connection.closeSync();
    instance.closeSync();
    await rm(scratch, { recursive: true, force: true });
  };
  return {
    async write({ table, rows }: RowBatch) {
      const appender = appenders.get(table);
      if (appender === undefined) throw new Error(`The file sink has no table ${table}.`);
      for (const row of rows) appendRow(appender, SOURCE_TABLES[table], row);
      appender.flushSync();
    },
    async finish() {
      for (const appender of appenders.values()) appender.closeSync();
      for (const table of Object.values(SOURCE_TABLES)) {
        for (const format of formats) {
          const made = join(scratch, `${table.name}.${format}`);
          await connection.run(`COPY ${table.name} TO '${made.replaceAll("'", "''")}' (${FORMAT_OPTIONS[format]})`);
          await rename(made, join(folder, `${table.name}.${format}`));
        }
      }
      await close();
    },
    abandon: close,
  };
}

function appendRow(appender: DuckDBAppender, table: SourceTable, row: readonly Cell[]): void {
  table.columns.forEach(({ type }, i) => {
    const cell = row[i] ?? null;
    if (cell === null) appender.appendNull();
    else if (type === 'timestamp') appender.appendTimestamp(timestampValue(BigInt(cell) * 1000n));
    else if (type === 'integer') appender.appendInteger(Number(cell));
    else if (type === 'double') appender.appendDouble(Number(cell));
    else appender.appendVarchar(String(cell));
  });
  appender.endRow();
}
