import type { DuckDBConnection } from '@duckdb/node-api';
import { queryRows, quoteIdentifier } from '../duckdb.js';

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

/** An expression that is the value as `type`, or NULL where it is none. Empty and blank cells are NULL. */
export function castExpression(column: string, type: ColumnType): string {
  const text = `nullif(trim(CAST(${quoteIdentifier(column)} AS VARCHAR)), '')`;
  switch (type) {
    case 'string':
      return `CAST(${quoteIdentifier(column)} AS VARCHAR)`;
    case 'integer':
      return `CASE WHEN regexp_matches(${text}, ${DIGITS}) THEN TRY_CAST(${text} AS BIGINT) END`;
    case 'number':
      return `CASE WHEN isfinite(TRY_CAST(${text} AS DOUBLE)) THEN TRY_CAST(${text} AS DOUBLE) END`;
    case 'boolean':
      return `CASE WHEN lower(${text}) IN ('true', 't', '1', 'yes') THEN true WHEN lower(${text}) IN ('false', 'f', '0', 'no') THEN false END`;
    case 'timestamp':
      return `CAST(${finite(`TRY_CAST(${text} AS TIMESTAMPTZ)`)} AS TIMESTAMP)`;
    case 'date':
      return finite(`TRY_CAST(${text} AS DATE)`);
    case 'json':
      return `CASE WHEN json_valid(${text}) THEN ${text} END`;
  }
}

/**
 * The narrowest type of each text column, from all of its cells. Numbers with leading zeros or more than 18 digits
 * (codes, post codes, ids) stay text, so that nothing of them is lost.
 */
export async function inferColumnTypes(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly string[],
): Promise<Map<string, ColumnType>> {
  const types = new Map<string, ColumnType>();
  for (const column of columns) {
    const text = `trim(CAST(${quoteIdentifier(column)} AS VARCHAR))`;
    const [counts] = await queryRows<
      Record<'filled' | 'integers' | 'codes' | 'numbers' | 'booleans' | 'dates' | 'timestamps', number>
    >(
      connection,
      `SELECT count(*) FILTER (${text} <> '') AS filled,
        count(*) FILTER (regexp_matches(${text}, ${INTEGER})) AS integers,
        count(*) FILTER (regexp_matches(${text}, ${CODE})) AS codes,
        count(*) FILTER (isfinite(TRY_CAST(${text} AS DOUBLE))) AS numbers,
        count(*) FILTER (lower(${text}) IN ('true', 'false')) AS booleans,
        count(*) FILTER (regexp_matches(${text}, ${DATE}) AND TRY_CAST(${text} AS DATE) IS NOT NULL) AS dates,
        count(*) FILTER (regexp_matches(${text}, ${TIMESTAMP}) AND TRY_CAST(${text} AS TIMESTAMPTZ) IS NOT NULL) AS timestamps
      FROM ${relation}`,
    );
    types.set(column, counts ? chooseType(counts) : 'string');
  }
  return types;
}

function chooseType(
  counts: Record<'filled' | 'integers' | 'codes' | 'numbers' | 'booleans' | 'dates' | 'timestamps', number>,
): ColumnType {
  const enough = (count: number) => counts.filled > 0 && count >= SHARE_TO_INFER * counts.filled;
  if (enough(counts.booleans)) return 'boolean';
  if (counts.codes === 0 && enough(counts.numbers)) {
    // One fraction among whole numbers makes the column a number, not the fraction poison.
    return counts.integers === counts.numbers ? 'integer' : 'number';
  }
  if (enough(counts.dates)) return 'date';
  if (enough(counts.timestamps + counts.dates)) return 'timestamp';
  return 'string';
}
