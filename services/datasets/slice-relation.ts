import { quoteIdentifier, quoteText } from '../duckdb.js';
import { MOST_RECORD_BYTES, type PartLayout, type Slice } from './slices.js';

/** DuckDB holds a few of these buffers at a time. */
const READ_BUFFER_BYTES = 2 * MOST_RECORD_BYTES;
/** A character that no JSON has as it is, so that a line is one cell. */
const NEVER = 'chr(31)';

/** One column of a slice as SQL sees it. */
export interface SliceColumn {
  /** What it is called in the source; `undefined` where this part does not have it. */
  at: number | undefined;
  /** JSON: its key. */
  key: string;
}

export const cellOf = (index: number) => `r${index}`;
/** JSON: whether the cell is a text, so that nothing else is read into it. */
export const isTextOf = (index: number) => `t${index}`;

/**
 * A SELECT of the rows of a slice that can be read, in their order: `r0`, `r1`, … are the columns asked for, whatever they are called. Rows of
 * JSON also have `line`, and `is_object`.
 * @param file the slice as it was copied; of Parquet the whole file
 */
export function sliceRelation(layout: PartLayout, slice: Slice, file: string, columns: readonly SliceColumn[]): string {
  if (layout.format === 'csv') {
    const cells = columns.map(
      ({ at }, index) => `${at === undefined ? 'NULL::VARCHAR' : `c${at}`} AS ${cellOf(index)}`,
    );
    return `SELECT ${cells.join(', ')} FROM ${csvReader(layout, slice, file)}`;
  }
  if (layout.format === 'parquet') {
    const cells = columns.map(({ at }, index) => `${parquetCell(layout, at)} AS ${cellOf(index)}`);
    return `SELECT ${cells.join(', ')} FROM read_parquet(${quoteText(file)}, file_row_number = true)
      WHERE file_row_number >= ${slice.from} AND file_row_number < ${slice.to}`;
  }
  const keys = columns.map(({ key }) => quoteText(pointerTo(key)));
  const cells = columns.flatMap((_column, index) => [
    `found[${index + 1}] ->> '$' AS ${cellOf(index)}`,
    `json_type(found[${index + 1}]) = 'VARCHAR' AS ${isTextOf(index)}`,
  ]);
  const extracted = keys.length > 0 ? `CASE WHEN is_object THEN json_extract(line, [${keys.join(', ')}]) END` : '[]';
  return `SELECT line, is_object${list(cells)} FROM (SELECT *, ${extracted} AS found FROM (${jsonLines(file)}))`;
}

/** A character that neither a name nor a text of PostgreSQL can have, as JSON writes it. */
export const HAS_NUL = `contains(line, '\\u0000')`;

/** The lines of a JSON slice, and which of them are objects. */
export function jsonLines(file: string): string {
  const reader = `read_csv(${quoteText(file)}, auto_detect = false, header = false, delim = ${NEVER}, quote = '', escape = '', new_line = '\\n', columns = {'line': 'VARCHAR'}, nullstr = chr(30), store_rejects = true, ${bufferOptions})`;
  return `SELECT line, coalesce(CASE WHEN ${HAS_NUL} THEN false WHEN json_valid(line) THEN json_type(line) = 'OBJECT' END, false) AS is_object FROM ${reader}`;
}

const list = (cells: readonly string[]) => cells.map((cell) => `, ${cell}`).join('');
const bufferOptions = `max_line_size = ${MOST_RECORD_BYTES}, buffer_size = ${READ_BUFFER_BYTES}`;

function csvReader(layout: PartLayout, slice: Slice, file: string): string {
  const columns = layout.names.map((_name, at) => `'c${at}': 'VARCHAR'`).join(', ');
  const newline = slice.newline === '\r\n' ? '\\r\\n' : '\\n';
  return `read_csv(${quoteText(file)}, auto_detect = false, header = false, delim = ${quoteText(layout.delimiter)}, quote = '"', escape = '"', new_line = '${newline}', columns = {${columns}}, nullstr = ${quoteText(layout.nullText)}, allow_quoted_nulls = false, store_rejects = true, ${bufferOptions})`;
}

/** Lists and objects become JSON texts; all else stays what it is. */
function parquetCell(layout: PartLayout, at: number | undefined): string {
  if (at === undefined) return 'NULL::VARCHAR';
  const name = quoteIdentifier(layout.names[at]!);
  return /^(STRUCT|MAP|UNION)|\[\d*\]$/.test(layout.storedTypes?.[at] ?? '')
    ? `CAST(to_json(${name}) AS VARCHAR)`
    : name;
}

/** A JSON pointer, which leads to a key of any spelling. */
const pointerTo = (key: string) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
