import type { Row } from './input-rows.js';
import { cellText } from './terminal.js';

/** What a version wants to know, as `GET /models/{model}/versions/{version}` tells it. */
export interface Wanted {
  kind: string;
  features: readonly { name: string; type: string }[];
}

/** The fields that requests of a kind name their entity by; the first is used for --entity. */
const ENTITY_FIELDS: Record<string, readonly string[]> = {
  user_behavior: ['user_id'],
  project_success: ['project_id'],
  recommendation: ['user_id'],
  resource_usage: ['series_id'],
};
const TABLE_FIELDS = ['entity_id', 'user_id', 'project_id'];

const fieldsOf = (kind: string) => ENTITY_FIELDS[kind] ?? TABLE_FIELDS;

/**
 * Makes the instance of a batch from a row of a file. A row that has `features` is one already. Of any other the
 * columns that the version has learnt from become features: empty cells are left out, and count as not known.
 * @param entity the column that names the entity; by default the one that is called as requests call it
 */
export function instanceOf(row: Row, { kind, features }: Wanted, entity: string | undefined): Row {
  if (typeof row['features'] === 'object' && row['features'] !== null) return row;
  const [own] = fieldsOf(kind);
  const column = entity ?? fieldsOf(kind).find((field) => row[field] !== undefined);
  const named = column === undefined ? undefined : row[column];
  const id = named === undefined || named === '' ? {} : { [entity === undefined ? column! : own!]: cellText(named) };
  // Recommendations know no features: whom they are for is all.
  if (kind === 'recommendation') return id;
  const known: Row = {};
  for (const { name, type } of features) {
    const value = row[name];
    if (value !== undefined && value !== '') known[name] = cellValue(value, type);
  }
  return { ...id, features: known };
}

/** Text of a file as the version means it; what is no number where one is wanted goes on as it is, for the service to refuse. */
function cellValue(value: unknown, type: string): unknown {
  if (typeof value !== 'string' || /string|categor|text/.test(type)) return value;
  const text = value.trim();
  if (/bool/.test(type)) return text === 'true' ? true : text === 'false' ? false : value;
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : value;
}

/** Columns of a row that nobody asks for. */
export function unusedColumns(row: Row, { kind, features }: Wanted, entity: string | undefined): string[] {
  if ('features' in row) return [];
  const used = new Set([...features.map(({ name }) => name), ...fieldsOf(kind), entity]);
  return Object.keys(row).filter((name) => !used.has(name));
}
