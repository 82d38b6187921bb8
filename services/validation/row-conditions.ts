import type { Expectation, ExpectationOf } from '../../core/schemas/expectation.js';
import type { ColumnType } from '../datasets/column-types.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';

/** Expectations that one row alone, or its place among the others, can break. */
export const ROW_CHECKS = ['type', 'not_null', 'range', 'set', 'pattern', 'unique', 'references'] as const;
export type RowExpectation = ExpectationOf<(typeof ROW_CHECKS)[number]>;

export const isOfRows = (expectation: Expectation): expectation is RowExpectation =>
  (ROW_CHECKS as readonly string[]).includes(expectation.check);

/** Whether a row that breaks it goes to quarantine when it comes in. What must hold mostly, and what other datasets decide, is judged of the whole. */
export const isHeldByRow = (expectation: Expectation): expectation is RowExpectation =>
  isOfRows(expectation) &&
  expectation.check !== 'references' &&
  expectation.severity === 'error' &&
  expectation.mostly === 1;

export const columnsOf = (expectation: RowExpectation): readonly string[] =>
  expectation.check === 'unique' ? expectation.columns : [expectation.column];

/** As SQL: when a row has something to check, when it fails, and what is said of it then. */
export interface RowCondition {
  applies: string;
  fails: string;
  reason: string;
}

interface ConditionContext {
  types: ReadonlyMap<string, ColumnType>;
  /** The relation with the column `value` that `references` looks in. */
  reference?: string;
  /** The value of a column as SQL; the column itself unless given. */
  cell?: (column: string) => string;
}

/**
 * The condition of one expectation over the table `data`.
 */
export function rowCondition(expectation: RowExpectation, context: ConditionContext): RowCondition {
  const { cell = quoteIdentifier } = context;
  const known = columnsOf(expectation)
    .map((name) => `${cell(name)} IS NOT NULL`)
    .join(' AND ');
  const label = `column ${columnsOf(expectation).join(', ')}: `;
  if (expectation.check === 'not_null') {
    const text = `trim(CAST(${cell(expectation.column)} AS VARCHAR))`;
    return { applies: 'true', fails: `coalesce(${text}, '') = ''`, reason: `${label}empty, but required` };
  }
  const [fails, message] = breach(expectation, context);
  return { applies: known, fails: `${known} AND coalesce(${fails}, false)`, reason: label + message };
}

function breach(
  expectation: Exclude<RowExpectation, { check: 'not_null' }>,
  { types, reference, cell = quoteIdentifier }: ConditionContext,
): [string, string] {
  if (expectation.check === 'unique') {
    const together = expectation.columns.map(cell).join(', ');
    return [
      `row_number() OVER (PARTITION BY ${together} ORDER BY _row) > 1`,
      'the value was already in an earlier row',
    ];
  }
  const value = cell(expectation.column);
  const text = `CAST(${value} AS VARCHAR)`;
  switch (expectation.check) {
    case 'type':
      return [
        `NOT (${isOfType(expectation.type, types.get(expectation.column) ?? 'string', value)})`,
        `is not of the type ${expectation.type}`,
      ];
    case 'range':
      return rangeBreach(expectation, value);
    case 'set': {
      const allowed = expectation.values.map((item) => quoteText(String(item))).join(', ');
      return [`${text} NOT IN (${allowed})`, `not one of ${expectation.values.slice(0, 10).join(', ')}`];
    }
    case 'pattern':
      return [
        `NOT regexp_full_match(${text}, ${quoteText(expectation.pattern)})`,
        `does not match ${expectation.pattern}`,
      ];
    case 'references':
      return [
        `${text} NOT IN (SELECT value FROM ${reference})`,
        `is not in the column ${expectation.in_column ?? expectation.column} of ${expectation.data_type ?? expectation.dataset_id}`,
      ];
  }
}

/** A whole number is a number, and everything is a text. */
function isOfType(wanted: ColumnType, stored: ColumnType, value: string): string {
  if (wanted === stored || wanted === 'string') return 'true';
  if (wanted === 'number' && stored === 'integer') return 'true';
  if (wanted === 'timestamp' && stored === 'date') return 'true';
  const text = `trim(CAST(${value} AS VARCHAR))`;
  switch (wanted) {
    case 'integer':
      return stored === 'number' ? `${value} = round(${value})` : `TRY_CAST(${text} AS BIGINT) IS NOT NULL`;
    case 'number':
      return `TRY_CAST(${text} AS DOUBLE) IS NOT NULL`;
    case 'boolean':
      return `lower(${text}) IN ('true', 'false')`;
    case 'timestamp':
      return `TRY_CAST(${text} AS TIMESTAMP) IS NOT NULL`;
    case 'date':
      return stored === 'timestamp'
        ? `${value} = date_trunc('day', ${value})`
        : `TRY_CAST(${text} AS DATE) IS NOT NULL`;
    case 'json':
      return `json_valid(${text})`;
  }
}

function rangeBreach({ minimum, maximum }: ExpectationOf<'range'>, value: string): [string, string] {
  const literal = (bound: number | string) =>
    typeof bound === 'number' ? String(bound) : `CAST(${quoteText(bound)} AS TIMESTAMP)`;
  const compared = (bound: number | string) =>
    typeof bound === 'number' ? `TRY_CAST(${value} AS DOUBLE)` : `TRY_CAST(CAST(${value} AS VARCHAR) AS TIMESTAMP)`;
  const sides = [
    ...(minimum === undefined ? [] : [`${compared(minimum)} < ${literal(minimum)}`]),
    ...(maximum === undefined ? [] : [`${compared(maximum)} > ${literal(maximum)}`]),
  ];
  const words = [
    ...(minimum === undefined ? [] : [`below the minimum of ${minimum}`]),
    ...(maximum === undefined ? [] : [`above the maximum of ${maximum}`]),
  ];
  return [sides.map((side) => `coalesce(${side}, false)`).join(' OR '), words.join(' or ')];
}
