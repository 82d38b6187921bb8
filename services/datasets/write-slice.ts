import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BIGINT, BOOLEAN, DuckDBScalarFunction, LIST, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import { ServiceError } from '../../core/errors.js';
import { queryRows, quoteText } from '../duckdb.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { syncPath } from '../storage/sync-path.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import {
  isBadExpression,
  reasonsExpression,
  rowRules,
  typedColumns,
  type ColumnCheck,
  type RowRule,
} from './check-rows.js';
import { withSlice, type OpenSlice, type SliceInput } from './open-slice.js';
import { checksOf, typedRelation, type SettledSchema } from './settle-schema.js';
import { HAS_NUL, sliceRelation } from './slice-relation.js';
import { SLICE_FILES } from './slices.js';

/** A row that is kept aside. `row_number` is its place in the source, from 1; the header is not counted. */
export interface QuarantinedRow {
  row_number: number;
  reasons: string[];
  content: string | null;
}

/** What became of one slice. */
export interface WrittenSlice {
  rows: number;
  quarantinedRows: number;
  bytes: number;
  /** SHA-256 of its Parquet file. */
  digest: string;
}

/** Dictionaries of texts that are kept for all columns together; DuckDB takes 1 MiB for each unless told otherwise. */
const DICTIONARY_BYTES = 128 * 2 ** 20;

/** How datasets are written. @param columns of the table */
export function parquetOptions(columns: number): string {
  const own = 2 ** Math.floor(Math.log2(DICTIONARY_BYTES / columns));
  return `FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2${own < 2 ** 20 ? `, STRING_DICTIONARY_PAGE_SIZE_LIMIT ${own}` : ''}`;
}

/**
 * Checks the rows of one slice and writes the good ones as Parquet and the others with their reasons, in one pass. What an earlier
 * attempt has finished is adopted, and two attempts at once write the same.
 * @param at the place of the slice among all of the source
 * @throws ServiceError `source_unreadable`, also when a record was found that is neither a row nor in quarantine
 */
export async function writeSlice(input: SliceInput & { at: number; schema: SettledSchema }): Promise<WrittenSlice> {
  const marker = SLICE_FILES.written(input.folder, input.at);
  const done = await readStaged(marker);
  if (done) return JSON.parse(done.toString('utf8')) as WrittenSlice;
  const data = SLICE_FILES.data(input.folder, input.at);
  const quarantine = SLICE_FILES.quarantine(input.folder, input.at);
  const partial = (path: string) => `${path}.${input.attempt}.partial`;
  try {
    const { rows, setAside } = await withSlice({ ...input, columns: input.schema.columns.length }, (connection, open) =>
      judgeRows(connection, open, input.schema, partial(data)),
    );
    refuseLostRows(input, rows, setAside.length);
    await writeLines(partial(quarantine), setAside, input.place.recordsBefore);
    const written: WrittenSlice = {
      rows,
      quarantinedRows: setAside.length,
      bytes: (await stat(partial(data))).size,
      digest: await sha256OfFile(partial(data)),
    };
    await syncPath(partial(data));
    await rename(partial(data), data);
    await rename(partial(quarantine), quarantine);
    await writeStaged(marker, JSON.stringify(written));
    return written;
  } finally {
    await rm(partial(data), { force: true });
    await rm(partial(quarantine), { force: true });
  }
}

/** The good rows go to `file`; the others come back, counted within the slice. */
async function judgeRows(
  connection: DuckDBConnection,
  open: OpenSlice,
  schema: SettledSchema,
  file: string,
): Promise<{ rows: number; setAside: QuarantinedRow[] }> {
  const { columns, checks } = checksOf(open.layout, schema.columns);
  const setAside: QuarantinedRow[] = [];
  registerSetAside(connection, setAside);
  const isJson = open.layout.format === 'json' || open.layout.format === 'ndjson';
  const rules = [...(isJson ? JSON_RULES : []), ...rowRules(checks, schema.expectations)];
  const relation = sliceRelation(open.layout, open.slice, open.file, columns);
  // Rows are counted above the casts, not below: a filter that is pushed below them would make every cast several times.
  // Bad rows leave through a function, so that one pass gives both; it is called for them only.
  const result = await connection.run(
    `COPY (SELECT ${typedColumns(checks)} FROM (SELECT *, row_number() OVER () AS place FROM (${typedRelation(checks, relation)}))
       WHERE CASE WHEN ${isBadExpression(rules)} THEN set_aside(place, ${reasonsExpression(rules)}, ${isJson ? 'line' : contentOf(checks)}) ELSE true END)
     TO ${quoteText(file)} (${parquetOptions(columns.length)})`,
  );
  const rejected = open.layout.format === 'parquet' ? [] : await readRejects(connection);
  return { rows: result.rowsChanged, setAside: merge(open, rejected, setAside) };
}

const JSON_RULES: RowRule[] = [
  {
    when: 'NOT is_object',
    message: `CASE WHEN ${HAS_NUL} THEN 'it has a NUL character' ELSE 'the line is not a JSON object' END`,
  },
  {
    when: 'CASE WHEN is_object THEN len(json_keys(line)) > len(list_distinct(json_keys(line))) END',
    message: quoteText('a key is there twice'),
  },
];

/** The cells as they were, as JSON: keys are bound as texts, so that no name of a column becomes code. */
function contentOf(checks: readonly ColumnCheck[]): string {
  const pairs = checks.map(({ name, cell }) => `${quoteText(name)}, ${cell}`).join(', ');
  return `CAST(json_object(${pairs}) AS VARCHAR)`;
}

function registerSetAside(connection: DuckDBConnection, rows: QuarantinedRow[]): void {
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: 'set_aside',
      volatile: true,
      returnType: BOOLEAN,
      parameterTypes: [BIGINT, LIST(VARCHAR), VARCHAR],
      mainFunction: (_info, chunk, output) => {
        for (const [at, [row, reasons, content]] of chunk.getRows().entries()) {
          const texts = (reasons as { items: readonly string[] }).items;
          rows.push({ row_number: Number(row), reasons: [...texts], content: content as string | null });
          output.setItem(at, false);
        }
        output.flush();
      },
    }),
  );
}

/** Lines that DuckDB could not cut into the cells of the header, by their place among the lines that it was given. */
async function readRejects(connection: DuckDBConnection): Promise<QuarantinedRow[]> {
  return queryRows<QuarantinedRow>(
    connection,
    `SELECT line AS row_number, list(DISTINCT CAST(error_type AS VARCHAR) || ': ' || error_message) AS reasons, any_value(csv_line) AS content
       FROM reject_errors GROUP BY line ORDER BY line`,
  );
}

/**
 * One list by place in the part. Each reader counts only what reaches it: records that are none never reach DuckDB, and rows are counted
 * without the lines that it rejects.
 */
function merge(open: OpenSlice, rejected: QuarantinedRow[], judged: QuarantinedRow[]): QuarantinedRow[] {
  const none = open.bad.map(({ record, reason, content }) => ({
    row_number: record - open.slice.recordsBefore,
    reasons: [reason],
    content,
  }));
  const lines = spread(judged.toSorted(byRow), rejected);
  return spread(mergeSorted(rejected, lines), none)
    .concat(none)
    .sort(byRow)
    .map((row) => ({
      ...row,
      row_number: row.row_number + open.slice.recordsBefore,
    }));
}

const byRow = (a: QuarantinedRow, b: QuarantinedRow) => a.row_number - b.row_number;
const mergeSorted = (a: QuarantinedRow[], b: QuarantinedRow[]) => [...a, ...b].sort(byRow);

/** Moves rows behind the taken places that stand before them. Both are sorted. */
export function spread<Row extends { row_number: number }>(
  rows: readonly Row[],
  taken: readonly { row_number: number }[],
): Row[] {
  let before = 0;
  return rows.map((row) => {
    while (before < taken.length && taken[before]!.row_number <= row.row_number + before) before++;
    return { ...row, row_number: row.row_number + before };
  });
}

function refuseLostRows({ layout, place }: SliceInput, rows: number, setAside: number): void {
  const { records } = layout.slices[place.slice]!;
  if (rows + setAside === records) return;
  throw new ServiceError(
    'source_unreadable',
    `${layout.label}: of ${records} records ${rows} were read and ${setAside} set aside, which is not all. Write the file anew with quotes around every cell, or as Parquet.`,
  );
}

/** Characters of a row that are kept in quarantine. */
const MOST_CONTENT = 2 ** 20;

async function writeLines(file: string, rows: readonly QuarantinedRow[], recordsBefore: number): Promise<void> {
  const lineOf = ({ row_number, reasons, content }: QuarantinedRow) => ({
    row_number: row_number + recordsBefore,
    reasons,
    content: content && content.length > MOST_CONTENT ? `${content.slice(0, MOST_CONTENT)}…` : content,
  });
  function* lines() {
    for (const row of rows) yield `${JSON.stringify(lineOf(row))}\n`;
  }
  await pipeline(Readable.from(lines()), createWriteStream(file, { flush: true }));
}
