import type { CorrectionRule, ReplayInput } from '../../core/schemas/replay.js';
import { quoteText } from '../duckdb.js';

/**
 * SQL that gives a column of the rows in quarantine as text, corrected: first by the rules in their order, then row by row. No text of a
 * caller becomes code.
 */
export function correctedValue(column: string, { rules, rows }: ReplayInput): string {
  // As a JSON pointer, which any name can be written as.
  const pointer = `/${column.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  let value = `CASE WHEN json_valid(content) THEN json_extract_string(content, ${quoteText(pointer)}) END`;
  for (const rule of rules) if (rule.column === column) value = applyRule(rule, value);
  const own = rows.filter(({ values }) => Object.hasOwn(values, column));
  if (own.length === 0) return value;
  const cases = own.map(({ row_number: row, values }) => `WHEN ${row} THEN ${literal(values[column]!)}`);
  return `CASE row_number ${cases.join(' ')} ELSE ${value} END`;
}

const literal = (value: string | number | boolean | null) =>
  value === null ? 'CAST(NULL AS VARCHAR)' : quoteText(String(value));

function applyRule(rule: CorrectionRule, value: string): string {
  switch (rule.rule) {
    case 'trim':
      return `trim(${value})`;
    case 'lower':
      return `lower(${value})`;
    case 'upper':
      return `upper(${value})`;
    case 'set':
      return rule.only_empty
        ? `CASE WHEN trim(coalesce(${value}, '')) = '' THEN ${literal(rule.value)} ELSE ${value} END`
        : literal(rule.value);
    case 'map': {
      const cases = Object.entries(rule.values).map(([from, to]) => `WHEN ${quoteText(from)} THEN ${literal(to)}`);
      return cases.length === 0 ? value : `CASE ${value} ${cases.join(' ')} ELSE ${value} END`;
    }
    case 'replace':
      return `replace(${value}, ${quoteText(rule.find)}, ${quoteText(rule.with)})`;
    case 'cast_number': {
      const digits = `regexp_replace(${value}, ${quoteText(`[^0-9+\\-${rule.decimal}]`)}, '', 'g')`;
      return `replace(${digits}, ${quoteText(rule.decimal)}, '.')`;
    }
    case 'cast_time':
      // What does not have the format stays, and is told of.
      return `coalesce(CAST(try_strptime(${value}, ${quoteText(rule.format)}) AS VARCHAR), ${value})`;
  }
}
