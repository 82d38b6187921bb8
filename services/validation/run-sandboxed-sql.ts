import { rm } from 'node:fs/promises';
import { DuckDBInstance, StatementType, type DuckDBConnection } from '@duckdb/node-api';
import { OpenedInputs } from '../encryption/opened-inputs.js';
import { datasetRows } from '../datasets/dataset-rows.js';
import { queryRows, quoteText } from '../duckdb.js';
import { makeScratchFolder } from '../storage/scratch-folder.js';

/** What a caller's SELECT may take. */
const MEMORY_LIMIT = '512MiB';
const TIME_LIMIT_MS = 20_000;
const THREADS = '2';

/** What a caller's SELECT gave: how many rows, and the numbers of those which fail where it tells them; or why it was not run. */
export type SqlOutcome = { rows: number; places: number[] } | { problem: string };

/**
 * Runs one SELECT of a caller over the table `data` in a database of its own, which can read these files and nothing else: no other file,
 * no network, no extension, no setting, no write.
 * @param mostPlaces so many row numbers are told at most
 */
export async function runSandboxedSql(stored: readonly string[], sql: string, mostPlaces: number): Promise<SqlOutcome> {
  const folder = await makeScratchFolder();
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    threads: THREADS,
    temp_directory: '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_unsigned_extensions: 'false',
  });
  const connection = await instance.connect();
  let files = stored;
  const timer = setTimeout(() => connection.interrupt(), TIME_LIMIT_MS);
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const inputs = new OpenedInputs(folder);
    files = await Promise.all(stored.map((file) => inputs.openPath(file)));
    await connection.run(
      `CREATE VIEW data AS SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number) FROM ${datasetRows(files)}`,
    );
    await connection.run(`SET allowed_paths = [${files.map(quoteText).join(', ')}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    return await countFailing(connection, sql, mostPlaces);
  } catch (error) {
    const message = (error as Error).message.split('\n', 1)[0] ?? '';
    // Where the files lie on this machine is nobody's business.
    const said = files.reduce((text, file) => text.replaceAll(file, 'data'), message);
    const isLate = /INTERRUPT/i.test(said);
    return { problem: isLate ? `took longer than ${TIME_LIMIT_MS / 1000} s` : said.slice(0, 500) };
  } finally {
    clearTimeout(timer);
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

async function countFailing(connection: DuckDBConnection, sql: string, mostPlaces: number): Promise<SqlOutcome> {
  const statement = sql.trim().replace(/;\s*$/, '');
  const parsed = await connection.extractStatements(statement);
  if (parsed.count !== 1) return { problem: `must be one SELECT, and these are ${parsed.count} statements` };
  const prepared = await parsed.prepare(0);
  if (prepared.statementType !== StatementType.SELECT) return { problem: 'must be a SELECT' };
  const names = Array.from({ length: prepared.columnCount }, (_, column) => prepared.columnName(column));
  // A comment at the end must not take the bracket with it.
  const [counted] = await queryRows<{ rows: number }>(
    connection,
    `SELECT count(*) AS rows FROM (${statement}\n) AS failing`,
  );
  const rows = counted?.rows ?? 0;
  if (!names.includes('_row') || rows === 0) return { rows, places: [] };
  const places = await queryRows<{ place: number }>(
    connection,
    `SELECT DISTINCT TRY_CAST(_row AS BIGINT) AS place FROM (${statement}\n) AS failing WHERE place IS NOT NULL ORDER BY 1 LIMIT ${mostPlaces}`,
  );
  return { rows, places: places.map(({ place }) => place) };
}
