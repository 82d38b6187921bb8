import type { ColumnExpectation } from '../../core/schemas/model-config.js';
import type { Expectation } from '../../core/schemas/expectation.js';
import { quoteIdentifier, quoteText } from '../duckdb.js';
import { isHeldByRow, rowCondition } from '../validation/row-conditions.js';
import { castExpression, isFilledExpression, type ColumnType } from './column-types.js';

/** What one column has to be, and where SQL finds it. */
export interface ColumnCheck {
  name: string;
  type: ColumnType;
  /** True when the source already delivers the type, so that no cast can fail. */
  native: boolean;
  expectation?: ColumnExpectation;
  /** SQL: the cell as the source has it. */
  cell: string;
  /** SQL: the cell as its type, as `typedCell` makes it. */
  value: string;
}

/** When a row is no good, and what is said then: both SQL, the message a text expression. */
export interface RowRule {
  when: string;
  /** SQL that is true wherever `when` is, and cheaper: few rows get past it. Absent where nothing is cheaper. */
  suspect?: string;
  message: string;
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

const text = ({ cell, type, native }: ColumnCheck) => (native && type !== 'string' ? `CAST(${cell} AS VARCHAR)` : cell);
const isFilled = (check: ColumnCheck) =>
  check.type === 'string' || check.native ? `${check.cell} IS NOT NULL` : isFilledExpression(check.cell);

/** An empty cell, and one that is not of its type: neither has a value. */
const isNoValue = ({ value }: ColumnCheck) => `${value} IS NULL`;

/** The cell as it is stored: an expression over the raw cell, and over `quick` as `castExpression` has it. */
export function typedCell(check: Pick<ColumnCheck, 'cell' | 'native' | 'type'>, quick?: string): string {
  return check.native ? check.cell : castExpression(check.cell, check.type, quick);
}

/**
 * What each row is held to, over one row alone. This is where checks of rows are made: for a part of the source at a time, in SQL over whole columns.
 * That a value must not be there twice is no matter of one row: see `reject-duplicates.ts`.
 * @param expectations of the data type; those that a single row can break for sure: errors that all rows must hold
 */
export function rowRules(checks: readonly ColumnCheck[], expectations: readonly Expectation[] = []): RowRule[] {
  return [
    ...checks.flatMap((check) => [...typeRules(check), ...expectationRules(check)]),
    ...listedRules(checks, expectations),
  ];
}

function listedRules(checks: readonly ColumnCheck[], expectations: readonly Expectation[]): RowRule[] {
  const byName = new Map(checks.map((check) => [check.name, check]));
  const types = new Map(checks.map(({ name, type }) => [name, type]));
  const cell = (column: string) => byName.get(column)!.value;
  return expectations.filter(isHeldByRow).flatMap((expectation): RowRule[] => {
    if (expectation.check === 'unique' || !byName.has(expectation.column)) return [];
    const { fails, reason } = rowCondition(expectation, { types, cell });
    return [{ when: fails, message: quoteText(reason) }];
  });
}

/**
 * Whether any rule says that the row is no good: cheap, with no text made. All sides of an OR are worked out for every row, the branch of a
 * CASE only for its own rows: so rows that are not even suspect cost little.
 */
export function isBadExpression(rules: readonly RowRule[]): string {
  if (rules.length === 0) return 'false';
  const any = (conditions: readonly string[]) =>
    `coalesce(${[...new Set(conditions)].map((condition) => `(${condition})`).join(' OR\n')}, false)`;
  const isBad = any(rules.map(({ when }) => when));
  const isSuspect = any(rules.map(({ when, suspect }) => suspect ?? when));
  return isSuspect === isBad ? isBad : `CASE WHEN ${isSuspect} THEN ${isBad} ELSE false END`;
}

/** Every reason why a row is no good, as a list of texts. */
export function reasonsExpression(rules: readonly RowRule[]): string {
  if (rules.length === 0) return `CAST([] AS VARCHAR[])`;
  return `list_filter([${rules.map(({ when, message }) => `CASE WHEN ${when} THEN ${message} END`).join(',\n')}], lambda reason: reason IS NOT NULL)`;
}

/** A message shows at most 80 characters of the value. */
function typeRules(check: ColumnCheck): RowRule[] {
  if (check.native || check.type === 'string') return [];
  const why =
    check.type === 'number'
      ? `CASE WHEN regexp_full_match(trim(${check.cell}), '[+-]?[0-9]{16,}') THEN 'too long to be kept as a number without loss' ELSE 'not a number' END`
      : quoteText(`not ${TYPE_WORDS[check.type]}`);
  const message = `${quoteText(`column ${check.name}: "`)} || left(${check.cell}, 80) || '" is ' || ${why}`;
  return [{ when: `${check.value} IS NULL AND ${isFilled(check)}`, suspect: isNoValue(check), message }];
}

function expectationRules(check: ColumnCheck): RowRule[] {
  const { expectation, value } = check;
  if (!expectation) return [];
  const rules: RowRule[] = [];
  const add = (when: string, message: string, suspect?: string) =>
    rules.push({ when, message: quoteText(`column ${check.name}: ${message}`), ...(suspect && { suspect }) });
  if (expectation.required) add(`NOT (${isFilled(check)})`, 'empty, but required', isNoValue(check));
  if (expectation.minimum !== undefined)
    add(`${value} < ${expectation.minimum}`, `below the minimum of ${expectation.minimum}`);
  if (expectation.maximum !== undefined)
    add(`${value} > ${expectation.maximum}`, `above the maximum of ${expectation.maximum}`);
  if (expectation.values) {
    const allowed = expectation.values.map((item) => quoteText(String(item))).join(', ');
    const given = check.type === 'string' ? value : `CAST(${value} AS VARCHAR)`;
    add(`${given} NOT IN (${allowed})`, `not one of ${expectation.values.slice(0, 10).join(', ')}`);
  }
  if (expectation.pattern !== undefined)
    add(
      `NOT regexp_full_match(${text(check)}, ${quoteText(expectation.pattern)})`,
      `does not match ${expectation.pattern}`,
    );
  return rules;
}

/** The columns of a good row as they are stored. */
export function typedColumns(checks: readonly ColumnCheck[]): string {
  return checks.map((check) => `${check.value} AS ${quoteIdentifier(check.name)}`).join(', ');
}
