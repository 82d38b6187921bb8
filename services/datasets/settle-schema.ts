import { ServiceError } from '../../core/errors.js';
import type { ColumnExpectation, DataType } from '../../core/schemas/model-config.js';
import { isHeldByRow, type RowExpectation } from '../validation/row-conditions.js';
import { typedCell, type ColumnCheck } from './check-rows.js';
import { addCounts, chooseType, quickCast, type ColumnType, type TypeCounts } from './column-types.js';
import { refuseTooManyColumns, uniqueNames } from './csv-header.js';
import { cellOf, type SliceColumn } from './slice-relation.js';
import type { PartLayout } from './slices.js';

/** One column of the dataset, settled for all parts of the source. */
export interface SettledColumn {
  name: string;
  /** What it is called in the source: its key in JSON. */
  key: string;
  type: ColumnType;
  expectation?: ColumnExpectation;
  /** The type was told from the cells. */
  isInferred?: true;
}

/** What the slices of a dataset are all held to. */
export interface SettledSchema {
  columns: SettledColumn[];
  /** Those of the data type that go by single rows, as they were when the columns were settled. */
  expectations: RowExpectation[];
}

/** What one slice says of its columns. */
export interface SliceSurvey {
  columns: { key: string; counts: TypeCounts }[];
}

export interface SchemaInput {
  dataType: string;
  layouts: readonly PartLayout[];
  surveys: readonly SliceSurvey[];
  expectations?: DataType;
  onlyColumns?: readonly string[];
}

/** A column is the same in two parts when its name is, whatever the case; keys of JSON are told apart by case. */
const identity = (layout: PartLayout | undefined, key: string) =>
  layout?.format === 'ndjson' || layout?.format === 'json' ? key : key.toLowerCase();

/** The columns of the source by their own names, in the order in which they first appear. */
function listKeys({ layouts, surveys }: Pick<SchemaInput, 'layouts' | 'surveys'>): string[] {
  const keys = new Map<string, string>();
  const add = (layout: PartLayout | undefined, key: string) => {
    const id = identity(layout, key);
    if (!keys.has(id)) keys.set(id, key);
  };
  for (const layout of layouts) for (const name of layout.names) add(layout, name);
  for (const { columns } of surveys) for (const { key } of columns) add(layouts[0], key);
  refuseTooManyColumns(keys.size);
  return [...keys.values()];
}

/**
 * Whether the cells have to be looked at before types can be told: of JSON always, of CSV when a column has no declared type.
 */
export function needsSurvey({ layouts, expectations, onlyColumns }: Omit<SchemaInput, 'surveys'>): boolean {
  const declared = new Map(Object.entries(expectations?.columns ?? {}));
  return layouts.some(
    (layout) =>
      layout.format === 'json' ||
      layout.format === 'ndjson' ||
      (layout.format === 'csv' &&
        !layout.sourceColumns &&
        layout.names.some((name) => !declared.get(name)?.type && (onlyColumns?.includes(name) ?? true))),
  );
}

/**
 * Which columns the dataset has, and of which type: as declared, else as the source says, else from all cells of all slices. The order in
 * which slices were read does not matter.
 * @throws ServiceError `source_unreadable` for a column that was asked for and is not there, `dataset_rejected` when a required one is missing
 */
export function settleSchema(input: SchemaInput): SettledSchema {
  const keys = listKeys(input);
  const names = uniqueNames(keys);
  if (keys.length === 0) throw new ServiceError('dataset_rejected', 'The source has no columns, so no usable row.');
  const all = keys.map((key, at) => ({ key, name: names[at]! }));
  // A map: a column may be called `constructor`.
  const expectations = new Map(Object.entries(input.expectations?.columns ?? {}));
  const chosen = chooseColumns(all, input.onlyColumns);
  refuseLostColumns(input.dataType, expectations, chosen);
  const counts = countsByKey(input);
  const columns = chosen.map(({ key, name }): SettledColumn => {
    const expectation = expectations.get(name);
    const known = expectation?.type ?? sourceType(input.layouts, key);
    const type = known ?? chooseType(addCounts(counts.get(key) ?? []));
    return { name, key, type, ...(expectation ? { expectation } : {}), ...(known ? {} : { isInferred: true }) };
  });
  return { columns, expectations: (input.expectations?.expectations ?? []).filter(isHeldByRow) };
}

function chooseColumns<Column extends { name: string }>(
  all: readonly Column[],
  only: readonly string[] | undefined,
): readonly Column[] {
  return (
    only?.map((wanted) => {
      const found =
        all.find(({ name }) => name === wanted) ?? all.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
      if (found) return found;
      const there = all.slice(0, 20).map(({ name }) => name);
      throw new ServiceError(
        'source_unreadable',
        `The source has no column "${wanted}". It has ${there.join(', ')}${all.length > there.length ? ', …' : ''}.`,
      );
    }) ?? all
  );
}

function refuseLostColumns(
  dataType: string,
  expectations: ReadonlyMap<string, ColumnExpectation>,
  columns: readonly { name: string }[],
): void {
  const lost = [...expectations].filter(
    ([name, expected]) => expected.required && !columns.some((column) => column.name === name),
  );
  if (lost.length === 0) return;
  throw new ServiceError(
    'dataset_rejected',
    `The source lacks ${lost.length} required column(s) of ${dataType}.`,
    lost.map(([name]) => ({ path: `columns.${name}`, message: 'is required and missing' })),
  );
}

function countsByKey({ layouts, surveys }: SchemaInput): Map<string, TypeCounts[]> {
  const keys = new Map(listKeys({ layouts, surveys }).map((key) => [identity(layouts[0], key), key]));
  const counts = new Map<string, TypeCounts[]>();
  for (const { columns } of surveys) {
    for (const column of columns) {
      const key = keys.get(identity(layouts[0], column.key)) ?? column.key;
      counts.set(key, [...(counts.get(key) ?? []), column.counts]);
    }
  }
  return counts;
}

/** What the parts themselves say of a column; parts of different types agree on the wider one. */
function sourceType(layouts: readonly PartLayout[], key: string): ColumnType | undefined {
  const types = new Set<ColumnType>();
  for (const layout of layouts) {
    const at = columnAt(layout, key);
    if (at === undefined) continue;
    const source =
      layout.sourceColumns?.[at]?.type ??
      (layout.storedTypes ? (nativeType(layout.storedTypes[at]!) ?? 'string') : undefined);
    if (source) types.add(source);
  }
  const [first] = types;
  if (types.size <= 1) return first;
  const isNumeric = [...types].every((type) => type === 'integer' || type === 'number');
  if (isNumeric) return 'number';
  return [...types].every((type) => type === 'date' || type === 'timestamp') ? 'timestamp' : 'string';
}

function columnAt(layout: PartLayout, key: string): number | undefined {
  const exact = layout.names.indexOf(key);
  const at = exact >= 0 ? exact : layout.names.findIndex((name) => name.toLowerCase() === key.toLowerCase());
  return at < 0 ? undefined : at;
}

/** A type of DuckDB as ours, where the two are the same. */
function nativeType(stored: string): ColumnType | undefined {
  if (/^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/.test(stored)) return 'integer';
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(stored)) return 'number';
  if (stored === 'BOOLEAN') return 'boolean';
  if (stored === 'DATE') return 'date';
  if (stored === 'VARCHAR') return 'string';
  return stored.startsWith('TIMESTAMP') ? 'timestamp' : undefined;
}

/** The columns of one part in the order of the dataset, and what each cell is held to. */
export function checksOf(
  layout: PartLayout,
  columns: readonly SettledColumn[],
): { columns: SliceColumn[]; checks: ColumnCheck[] } {
  const found = columns.map(({ key }) => ({ key, at: columnAt(layout, key) }));
  const checks = columns.map(({ name, type, expectation }, index): ColumnCheck => {
    const at = found[index]!.at;
    const stored = layout.storedTypes && at !== undefined ? nativeType(layout.storedTypes[at]!) : undefined;
    const native = stored === type && type !== 'json';
    const cell = layout.storedTypes && !native ? `CAST(${cellOf(index)} AS VARCHAR)` : cellOf(index);
    return { name, type, native, expectation, cell, value: `v${index}` };
  });
  return { columns: found, checks };
}

/** SQL of the rows of a relation with the cells as their types: `v0`, `v1`, … */
export function typedRelation(checks: readonly ColumnCheck[], relation: string): string {
  const quick = checks.map(({ cell, native, type }) => (native ? undefined : quickCast(cell, type)));
  const tried = quick.map((expression, at) => (expression ? `, ${expression} AS q${at}` : '')).join('');
  const values = checks.map((check, at) => `, ${typedCell(check, quick[at] && `q${at}`)} AS ${check.value}`).join('');
  return `SELECT *${values} FROM (SELECT *${tried} FROM (${relation}))`;
}
