import { rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { QUARANTINE_FILE } from '../datasets/manifest.js';
import { queryRows, quoteIdentifier, quoteText, withDuckDb } from '../duckdb.js';
import { sealFinished } from '../encryption/file-keys.js';
import { syncPath } from '../storage/sync-path.js';

/** Columns of whole numbers that name entities: there a person may be a number. */
export type EntityColumns = ReadonlySet<string>;

/** Which rows of a file are of a person: a text that is the name, a text of JSON that has it, or a number in a column of entities. */
async function conditionOf(
  connection: DuckDBConnection,
  file: string,
  subject: string,
  entityColumns: EntityColumns,
): Promise<string> {
  const described = await queryRows<{ column_name: string; column_type: string }>(
    connection,
    `DESCRIBE SELECT * FROM read_parquet(${quoteText(file)})`,
  );
  const conditions = described.flatMap(({ column_name: name, column_type: type }) => {
    const column = quoteIdentifier(name);
    if (basename(file) === QUARANTINE_FILE) return inQuarantine(name, subject);
    if (type === 'VARCHAR' || type === 'JSON')
      return [`${column} = ${quoteText(subject)}`, `contains(${column}, ${quoteText(JSON.stringify(subject))})`];
    if (type === 'VARCHAR[]')
      return [`contains(array_to_string(${column}, ' '), ${quoteText(JSON.stringify(subject))})`];
    const isNumber = /^-?\d{1,18}$/.test(subject) && entityColumns.has(name);
    return isNumber ? [`TRY_CAST(${column} AS VARCHAR) = ${quoteText(subject)}`] : [];
  });
  return conditions.length === 0 ? 'false' : `coalesce(${conditions.join(', false) OR coalesce(')}, false)`;
}

/**
 * Lines that could not be read are kept as they came, and reasons quote from them, so a name is no value of its own there. A number is looked for in the lines
 * alone: rather a line too many goes than one too few.
 */
function inQuarantine(column: string, subject: string): string[] {
  const edge = String.raw`[^\pL\pN_-]`;
  const literal = subject.replaceAll(/[^\p{L}\p{N}_]/gu, String.raw`\$&`);
  const pattern = quoteText(`(^|${edge})${literal}($|${edge})`);
  if (column === 'content') return [`regexp_matches(content, ${pattern})`];
  const isNumber = /^[\d.,-]*$/.test(subject);
  return column === 'reasons' && !isNumber ? [`regexp_matches(array_to_string(reasons, ' '), ${pattern})`] : [];
}

/** @returns the rows of a person in a Parquet file */
export async function countInParquet(file: string, subject: string, entityColumns: EntityColumns): Promise<number> {
  return withDuckDb(async (connection) => {
    const condition = await conditionOf(connection, file, subject, entityColumns);
    const [found] = await queryRows<{ rows: number }>(
      connection,
      `SELECT count(*) AS rows FROM read_parquet(${quoteText(file)}) WHERE ${condition}`,
    );
    return found?.rows ?? 0;
  });
}

/** Writes a Parquet file again without the rows of a person, in the same order; it is replaced whole or not at all. */
export async function eraseFromParquet(file: string, subject: string, entityColumns: EntityColumns): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  try {
    await withDuckDb(async (connection) => {
      const condition = await conditionOf(connection, file, subject, entityColumns);
      await connection.run(
        `COPY (SELECT * FROM read_parquet(${quoteText(file)}) WHERE NOT (${condition})) TO ${quoteText(partial)} (FORMAT parquet, COMPRESSION zstd)`,
      );
    });
    await sealFinished(partial);
    await syncPath(partial);
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}
