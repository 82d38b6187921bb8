import type { RunField, RunFilter, RunValue } from '../../core/schemas/run-filter.js';

/** A part of a statement; its values stand in `values`, and in the text only as `$1`, `$2`, … */
export interface SqlBuilder {
  values: unknown[];
  /** Adds a value and gives its place. */
  bind(value: unknown): string;
}

export function createSqlBuilder(): SqlBuilder {
  const values: unknown[] = [];
  return { values, bind: (value) => `$${values.push(value)}` };
}

/** A filter as a condition on `runs`. What a run does not have fits no comparison, and fits the `not` of each. */
export function filterSql(filter: RunFilter, sql: SqlBuilder): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.terms.map((term) => filterSql(term, sql)).join(` ${filter.kind} `)})`;
    case 'not':
      return `not ${filterSql(filter.term, sql)}`;
    case 'null':
      return `(${valueSql(filter.field, sql)} IS NULL)`;
    case 'in':
      return `(${filter.values.map((value) => compareSql(filter.field, '=', value, sql)).join(' or ')})`;
    case 'compare':
      if (filter.comparison === 'contains')
        return `coalesce(position(${sql.bind(filter.value)} in ${textSql(filter.field, sql)}) > 0, false)`;
      return compareSql(filter.field, filter.comparison, filter.value, sql);
  }
}

/** @param operator one of the grammar's own, never a caller's text */
function compareSql(field: RunField, operator: string, value: RunValue, sql: SqlBuilder): string {
  if (field.kind === 'time') return `coalesce(${field.name} ${operator} ${sql.bind(value)}::timestamptz, false)`;
  if (field.kind !== 'param') {
    const type = typeof value === 'number' ? 'float8' : 'text';
    return `coalesce(${valueSql(field, sql)} ${operator} ${sql.bind(value)}::${type}, false)`;
  }
  // Of two types neither is larger, and they are never equal.
  const type = { number: 'float8', string: 'text', boolean: 'boolean' }[typeof value as 'number'];
  const name = sql.bind(field.name);
  return `coalesce(CASE WHEN jsonb_typeof(params -> ${name}) = ${sql.bind(typeof value)} THEN (params ->> ${name})::${type} ${operator} ${sql.bind(value)}::${type} END, false)`;
}

/** What a field holds; parameters as JSON, whose order is that of their type. */
export function valueSql(field: RunField, sql: SqlBuilder): string {
  if (field.kind === 'metric') return `(metrics ->> ${sql.bind(field.name)})::float8`;
  if (field.kind === 'param') return `nullif(params -> ${sql.bind(field.name)}, 'null')`;
  return field.name === 'run_id' ? 'id' : field.name;
}

const textSql = (field: RunField, sql: SqlBuilder): string =>
  field.kind === 'param' ? `(params ->> ${sql.bind(field.name)})` : `(${valueSql(field, sql)})::text`;
