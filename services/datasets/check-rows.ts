import type { ColumnExpectation } from '../../core/schemas/model-config.js';
import type { Expectation } from '../../core/schemas/expectation.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';
import { columnsOf, isHeldByRow, rowCondition } from '../validation/row-conditions.js';
import { castExpression, type ColumnType } from './column-types.js';

export interface ColumnCheck {
  name: string;
  type: ColumnType;
  /** True when the source already delivers the type, so that no cast can fail. */
  native: boolean;
  expectation?: ColumnExpectation;
  /** The type was told from the cells. */
  isInferred?: boolean;
}

const TYPE_WORDS: Record<ColumnType, string> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  timestamp: 'a time',
  date: 'a date',
  json: 'JSON',
};

const value = (check: ColumnCheck) =>
  check.native ? quoteIdentifier(check.name) : castExpression(check.name, check.type);
const raw = (check: ColumnCheck) => `CAST(${quoteIdentifier(check.name)} AS VARCHAR)`;
const isFilled = (check: ColumnCheck) =>
  check.type === 'string' ? `${raw(check)} IS NOT NULL` : `trim(coalesce(${raw(check)}, '')) <> ''`;

/**
 * A SQL expression that lists, for one raw row, every reason why it cannot be used; empty for a good row.
 * The first rows of a value that must be unique are good, later ones are not; `_mlops_row` gives the order.
 * @param expectations of the data type; those that a single row can break for sure: errors that all rows must hold
 */
export function reasonsExpression(checks: readonly ColumnCheck[], expectations: readonly Expectation[] = []): string {
  const reasons = [
    ...checks.flatMap((check) => [...typeReasons(check), ...expectationReasons(check)]),
    ...listedReasons(checks, expectations),
  ];
  if (reasons.length === 0) return `CAST([] AS VARCHAR[])`;
  return `list_filter([${reasons.map(([when, message]) => `CASE WHEN ${when} THEN ${message} END`).join(',\n')}], lambda reason: reason IS NOT NULL)`;
}

function listedReasons(
  checks: readonly ColumnCheck[],
  expectations: readonly Expectation[],
): [condition: string, message: string][] {
  const byName = new Map(checks.map((check) => [check.name, check]));
  const types = new Map(checks.map(({ name, type }) => [name, type]));
  const cell = (column: string) => `(${value(byName.get(column)!)})`;
  return expectations.filter(isHeldByRow).flatMap((expectation): [string, string][] => {
    if (!columnsOf(expectation).every((name) => byName.has(name))) return [];
    const { fails, reason } = rowCondition(expectation, { types, cell, place: '_mlops_row' });
    return [[fails, quoteText(reason)]];
  });
}

/** `[condition, message]` pairs; a message shows at most 80 characters of the value. */
function typeReasons(check: ColumnCheck): [string, string][] {
  if (check.native) return [];
  const shown = `'column ${check.name.replaceAll("'", "''")}: "' || left(${raw(check)}, 80) || '" is not ${TYPE_WORDS[check.type]}'`;
  return [[`${isFilled(check)} AND (${value(check)}) IS NULL`, shown]];
}

function expectationReasons(check: ColumnCheck): [string, string][] {
  const { expectation } = check;
  if (!expectation) return [];
  const label = `column ${check.name}: `;
  const shown = (message: string) => quoteText(label + message);
  const reasons: [string, string][] = [];
  if (expectation.required) reasons.push([`NOT (${isFilled(check)})`, shown('empty, but required')]);
  if (expectation.minimum !== undefined)
    reasons.push([`(${value(check)}) < ${expectation.minimum}`, shown(`below the minimum of ${expectation.minimum}`)]);
  if (expectation.maximum !== undefined)
    reasons.push([`(${value(check)}) > ${expectation.maximum}`, shown(`above the maximum of ${expectation.maximum}`)]);
  if (expectation.values) {
    const allowed = expectation.values.map((item) => quoteText(String(item))).join(', ');
    reasons.push([
      `CAST(${value(check)} AS VARCHAR) NOT IN (${allowed})`,
      shown(`not one of ${expectation.values.slice(0, 10).join(', ')}`),
    ]);
  }
  if (expectation.pattern !== undefined) {
    reasons.push([
      `NOT regexp_full_match(${raw(check)}, ${quoteText(expectation.pattern)})`,
      shown(`does not match ${expectation.pattern}`),
    ]);
  }
  if (expectation.unique) {
    const order = `row_number() OVER (PARTITION BY ${value(check)} ORDER BY _mlops_row)`;
    reasons.push([`(${value(check)}) IS NOT NULL AND ${order} > 1`, shown('the value was already in an earlier row')]);
  }
  return reasons;
}

/** The columns of a good row as they are stored. */
export function typedColumns(checks: readonly ColumnCheck[]): string {
  return checks.map((check) => `${value(check)} AS ${quoteIdentifier(check.name)}`).join(', ');
}
