import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows } from '../duckdb.js';

export type ColumnType = 'string' | 'integer' | 'number' | 'boolean' | 'timestamp' | 'date' | 'json';

/** A column is taken for a type when at least this share of its non-empty cells has it; the others are poison. */
const SHARE_TO_INFER = 0.95;

const INTEGER = `'^[+-]?[0-9]{1,18}$'`;
/** What a declared whole number may look like; one that is too large for 64 bits is told by the cast. */
const DIGITS = `'^[+-]?[0-9]{1,19}$'`;
/** Codes rather than quantities: leading zeros, or more digits than a number keeps. */
const CODE = `'^[+-]?(0[0-9]+|[0-9]{19,})$'`;
const DATE = `'^[0-9]{4}-[0-9]{2}-[0-9]{2}$'`;
const TIMESTAMP = `'^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}'`;

/** PostgreSQL's `infinity` is a time that no calendar has and no JSON can tell. */
const finite = (expression: string) => `CASE WHEN isfinite(${expression}) THEN ${expression} END`;

/** Whether a text cell has more than blanks. */
export const isFilledExpression = (cell: string) => `(${cell} IS NOT NULL AND trim(${cell}) <> '')`;

/** Up to here every whole number is a double. */
const MOST_EXACT = '9007199254740992';

/**
 * A SQL expression that is the value of a text cell in its usual spelling, and of others something else or NULL: `castExpression` tells which.
 * `undefined` for types that have no cheaper way.
 * @param cell a SQL expression
 */
export function quickCast(cell: string, type: ColumnType): string | undefined {
  if (type === 'integer') return `TRY_CAST(${cell} AS BIGINT)`;
  if (type === 'number') return `TRY_CAST(${cell} AS DOUBLE)`;
  // DuckDB drops the offset of a text that it takes for a TIMESTAMP; with a Z there is none to drop.
  if (type === 'timestamp')
    return `CASE WHEN length(${cell}) = 20 AND ends_with(${cell}, 'Z') THEN TRY_CAST(${cell} AS TIMESTAMP) END`;
  return undefined;
}

/**
 * A SQL expression over a text cell that is the value as `type`, or NULL where it is none. Empty and blank cells are NULL. The usual
 * spelling is tried first; the rules for all others cost several times as much.
 * @param cell a SQL expression
 * @param quick SQL: what `quickCast` makes of the cell, best as a column, since DuckDB works out an expression each time it stands in a CASE
 */
export function castExpression(cell: string, type: ColumnType, quick = quickCast(cell, type)): string {
  const text = `trim(CAST(${cell} AS VARCHAR))`;
  switch (type) {
    case 'string':
      return `CAST(${cell} AS VARCHAR)`;
    case 'integer': {
      // DuckDB takes 1.5 for 2, and 1e3, 0x10 and 1_000 for whole numbers.
      return `CASE WHEN CAST(${quick} AS VARCHAR) = CAST(${cell} AS VARCHAR) THEN ${quick} WHEN regexp_matches(${text}, ${DIGITS}) THEN TRY_CAST(${text} AS BIGINT) END`;
    }
    case 'number': {
      const isExact = `regexp_matches(${text}, '[.eE]') OR CAST(TRY_CAST(${quick} AS HUGEINT) AS VARCHAR) = ltrim(${text}, '+')`;
      return `CASE WHEN contains(CAST(${cell} AS VARCHAR), '_') THEN NULL WHEN abs(${quick}) < ${MOST_EXACT} THEN ${quick} WHEN isfinite(${quick}) AND (${isExact}) THEN ${quick} END`;
    }
    case 'boolean':
      return `CASE WHEN lower(${text}) IN ('true', 't', '1', 'yes') THEN true WHEN lower(${text}) IN ('false', 'f', '0', 'no') THEN false END`;
    case 'timestamp': {
      const zoned = `CAST(${finite(`TRY_CAST(nullif(${text}, '') AS TIMESTAMPTZ)`)} AS TIMESTAMP)`;
      return `CASE WHEN isfinite(${quick}) THEN ${quick} ELSE ${zoned} END`;
    }
    case 'date':
      return finite(`TRY_CAST(nullif(${text}, '') AS DATE)`);
    case 'json':
      return `CASE WHEN json_valid(nullif(${text}, '')) THEN ${text} END`;
  }
}

/** How many cells of a column look like what. */
export type TypeCounts = Record<
  'filled' | 'texts' | 'integers' | 'codes' | 'wide' | 'numbers' | 'booleans' | 'dates' | 'timestamps',
  number
>;

/**
 * SQL aggregates that count what the cells of a text column look like, in the order of `TypeCounts`.
 * @param isText SQL: the source says that the cell is a text, as JSON does
 */
function countExpressions(cell: string, isText: string): string[] {
  const text = `trim(CAST(${cell} AS VARCHAR))`;
  const conditions: Record<keyof TypeCounts, string> = {
    filled: `${text} <> ''`,
    texts: `${text} <> '' AND ${isText}`,
    integers: `regexp_matches(${text}, ${INTEGER})`,
    codes: `regexp_matches(${text}, ${CODE})`,
    wide: `regexp_matches(${text}, '^[+-]?[0-9]{16,}$') AND abs(TRY_CAST(${text} AS HUGEINT)) > ${MOST_EXACT}`,
    numbers: `NOT contains(${text}, '_') AND isfinite(TRY_CAST(${text} AS DOUBLE))`,
    booleans: `lower(${text}) IN ('true', 'false')`,
    dates: `regexp_matches(${text}, ${DATE}) AND TRY_CAST(${text} AS DATE) IS NOT NULL`,
    timestamps: `regexp_matches(${text}, ${TIMESTAMP}) AND TRY_CAST(${text} AS TIMESTAMPTZ) IS NOT NULL`,
  };
  return TYPE_COUNTS.map((name) => `count_if(${conditions[name]})`);
}

const TYPE_COUNTS = [
  'filled',
  'texts',
  'integers',
  'codes',
  'wide',
  'numbers',
  'booleans',
  'dates',
  'timestamps',
] as const satisfies (keyof TypeCounts)[];

const COLUMNS_AT_ONCE = 64;

/** Counts what the cells of text columns look like, in one pass for up to 64 columns. */
export async function countTypes(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly { cell: string; isText?: string }[],
): Promise<TypeCounts[]> {
  // DuckDB plans ten thousands of aggregates at once for minutes.
  if (columns.length > COLUMNS_AT_ONCE) {
    const rest = await countTypes(connection, relation, columns.slice(COLUMNS_AT_ONCE));
    return [...(await countTypes(connection, relation, columns.slice(0, COLUMNS_AT_ONCE))), ...rest];
  }
  if (columns.length === 0) return [];
  const counts = columns.flatMap(({ cell, isText }) => countExpressions(cell, isText ?? 'false'));
  const [row] = await queryRows<{ counts: number[] }>(
    connection,
    `SELECT [${counts.join(', ')}] AS counts FROM ${relation}`,
  );
  return columns.map((_column, at) => {
    const own = (row?.counts ?? []).slice(at * TYPE_COUNTS.length, (at + 1) * TYPE_COUNTS.length);
    return Object.fromEntries(TYPE_COUNTS.map((name, index) => [name, own[index] ?? 0])) as TypeCounts;
  });
}

/** The counts of several pieces of a column together. */
export function addCounts(pieces: readonly TypeCounts[]): TypeCounts {
  const sum = (name: keyof TypeCounts) => pieces.reduce((total, piece) => total + piece[name], 0);
  return Object.fromEntries(TYPE_COUNTS.map((name) => [name, sum(name)])) as TypeCounts;
}

/**
 * The narrowest type of a text column, from what all of its cells look like. Numbers with leading zeros, with more than 18 digits (codes,
 * post codes, ids), or too long for a double beside fractions, stay text, so that nothing of them is lost.
 */
export function chooseType(counts: TypeCounts): ColumnType {
  const enough = (count: number) => counts.filled > 0 && count >= SHARE_TO_INFER * counts.filled;
  // What a source calls a text is no number, whatever it looks like; JSON has no other way to tell a time.
  if (!enough(counts.texts)) {
    if (enough(counts.booleans)) return 'boolean';
    // One fraction among whole numbers makes the column a number, not the fraction poison.
    const isWhole = counts.integers === counts.numbers;
    if (counts.codes === 0 && enough(counts.numbers) && (isWhole || counts.wide === 0))
      return isWhole ? 'integer' : 'number';
  }
  if (enough(counts.dates)) return 'date';
  if (enough(counts.timestamps + counts.dates)) return 'timestamp';
  return 'string';
}
