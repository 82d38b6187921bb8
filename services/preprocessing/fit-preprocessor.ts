import type { DuckDBConnection } from '@duckdb/node-api';
import { categoryCodes } from '../../ml/preprocess/category-cells.js';
import type { ColumnChoices } from '../../ml/preprocess/column-choices.js';
import { inferColumnType, isMissing } from '../../ml/preprocess/column-type.js';
import { encodeLabels, fitLabelEncoder } from '../../ml/preprocess/label-encoder.js';
import { fitRemovalBounds, isOutside, type RemovalBounds } from '../../ml/preprocess/remove-outliers.js';
import { fitFoldValues, fitTableEncoder, joinEncoders, type TableEncoder } from '../../ml/preprocess/table-encoder.js';
import type { EncodingTarget } from '../../ml/preprocess/target-encoding.js';
import { ServiceError } from '../../core/errors.js';
import { queryColumns, queryRows, quoteIdentifier } from '../duckdb.js';
import type { ColumnPlan, PreprocessingPlan } from './plan-preprocessing.js';
import { askedFor, choicesFor, methodOf } from './column-choices.js';

/** What was learnt from a dataset, and so how any row of it becomes a prepared one; stored beside the prepared rows. */
export interface Preprocessor {
  format_version: 1;
  /** Of the columns that become numbers. */
  encoder: TableEncoder;
  /** Columns that stay, with what stands for a missing value. */
  passed: { name: string; fill?: string | boolean }[];
  /** Rows without a value in one of these are left out. */
  complete: string[];
  /** Rows beyond these are left out. */
  bounds: RemovalBounds[];
  /** By encoded column and fold what the other folds say of its categories: no row has its own truth in it. */
  folds: Record<string, number[][]>;
  fitted_rows: number;
}

/** The fold of a row by its place in the file. */
export const FOLDS = 5;
/** Learnt from at most so many rows, evenly spread: one column of them at a time is in memory. */
const MOST_FIT_ROWS = 5_000_000;
/** More classes than this are an identifier, not a target. */
const MOST_CLASSES = 50;

/** Reads one column after another of a dataset, and learns what the plan asks for. */
export async function fitPreprocessor(
  connection: DuckDBConnection,
  source: string,
  plan: PreprocessingPlan,
  onProgress: (share: number) => void,
): Promise<Preprocessor> {
  const step = Math.max(1, Math.ceil(plan.rows / MOST_FIT_ROWS));
  const read = async (name: string) => {
    const where = step > 1 ? ` WHERE file_row_number % ${step} = 0` : '';
    const [column] = await queryColumns(connection, `SELECT ${quoteIdentifier(name)} FROM ${source}${where}`);
    return column!.values;
  };
  const choices = new Map(plan.columns.map(({ name }) => [name, choicesFor(plan.config, name)]));
  const kept = await keepRows(plan, choices, read);
  const target = plan.target === undefined ? undefined : await readTarget(plan, plan.target, read);
  const encoders: TableEncoder[] = [];
  const passed: Preprocessor['passed'] = [];
  const folds: Preprocessor['folds'] = {};
  for (const [index, column] of plan.columns.entries()) {
    const { name } = column;
    const own = choices.get(name)!;
    const encoder = column.role === 'encode' ? await fitColumn(plan, column, own, kept.rows, target, read) : undefined;
    const feature = encoder?.features[0];
    if (encoder && feature) {
      encoders.push(encoder);
      if (feature.encoding === 'target')
        folds[name] = fitFoldValues(
          feature,
          categoryCodes(feature, await read(name)),
          target!,
          foldsOf(kept.rows, step),
        );
    } else passed.push(await passColumn(connection, source, column, own));
    onProgress((index + 1) / plan.columns.length);
  }
  const encoder = joinEncoders(encoders, { normalize: plan.config.normalize });
  refuseTwins(encoder.columns, passed);
  return {
    format_version: 1,
    encoder,
    passed,
    complete: kept.complete,
    bounds: kept.bounds,
    folds,
    fitted_rows: kept.rows.length,
  };
}

type ReadColumn = (name: string) => Promise<unknown[]>;

/** The rows that stay, by their number among those read. */
async function keepRows(plan: PreprocessingPlan, choices: ReadonlyMap<string, ColumnChoices>, read: ReadColumn) {
  const prepared = plan.columns.filter(({ role }) => role !== 'keep');
  const complete = prepared.map(({ name }) => name).filter((name) => choices.get(name)!.missing === 'drop');
  const first = await read(plan.columns[0]!.name);
  let rows = Uint32Array.from(first.keys());
  for (const name of complete) {
    const values = await read(name);
    rows = rows.filter((row) => !isMissing(values[row]));
  }
  const numbers = prepared.filter(
    ({ name, type }) => type === 'number' && choices.get(name)!.outliers?.action === 'remove',
  );
  const bounds: RemovalBounds[] = [];
  const isRemoved = new Uint8Array(first.length);
  for (const { name } of numbers) {
    const values = await read(name);
    const [own] = fitRemovalBounds([{ name, values }], rows, () => choices.get(name)!);
    if (!own) continue;
    bounds.push(own);
    for (const row of rows) if (isOutside(own, values[row])) isRemoved[row] = 1;
  }
  return { rows: rows.filter((row) => isRemoved[row] === 0), complete, bounds };
}

async function readTarget(plan: PreprocessingPlan, name: string, read: ReadColumn): Promise<EncodingTarget> {
  const values = await read(name);
  if (plan.columns.find((column) => column.name === name)?.type === 'number')
    return { y: Float64Array.from(values, (value) => (value === null ? NaN : Number(value))), classes: 0 };
  const encoder = fitLabelEncoder(values);
  if (encoder.classes.length < 2 || encoder.classes.length > MOST_CLASSES) {
    const message = `${name} has ${encoder.classes.length} different values; 2 to ${MOST_CLASSES}, or numbers, can be learnt from`;
    throw new ServiceError('request_invalid', `The target ${message}.`, [{ path: 'target', message }]);
  }
  return { y: encodeLabels(encoder, values), classes: encoder.classes.length };
}

/** @returns undefined for a column that turns out to be an id, or of a kind that nothing is asked for */
async function fitColumn(
  plan: PreprocessingPlan,
  { name, type }: ColumnPlan,
  choices: ColumnChoices,
  rows: Uint32Array,
  target: EncodingTarget | undefined,
  read: ReadColumn,
): Promise<TableEncoder | undefined> {
  const values = await read(name);
  const isNamed = Object.hasOwn(plan.config.columns, name);
  let known = type;
  if (!isNamed && (type === 'any' || type === 'number')) {
    const inferred = inferColumnType(Array.from(rows, (row) => values[row]));
    if (inferred === 'id' || (type === 'any' && inferred === 'constant')) return undefined;
    // Texts that look like numbers were kept as texts, as codes are.
    if (type === 'any') known = inferred === 'text' ? 'text' : 'category';
    const asked = askedFor(plan.config, name);
    if (known === 'text' && asked.text !== 'lengths') return undefined;
    if (known === 'category' && methodOf(asked.encode) === 'none') return undefined;
  }
  const types = known === 'any' ? {} : { [name]: known };
  return fitTableEncoder([{ name, values }], rows, { types, choicesOf: () => choices, target });
}

function foldsOf(rows: Uint32Array, step: number): Int32Array {
  const folds = new Int32Array(rows.length > 0 ? rows.at(-1)! + 1 : 0).fill(-1);
  for (const row of rows) folds[row] = (row * step) % FOLDS;
  return folds;
}

/** A column that stays; texts and booleans may be filled with what is most frequent, or with what was given. */
async function passColumn(
  connection: DuckDBConnection,
  source: string,
  { name, stored, role }: ColumnPlan,
  { missing, fillText }: ColumnChoices,
): Promise<Preprocessor['passed'][number]> {
  const isFillable = role !== 'keep' && (stored === 'string' || stored === 'boolean');
  if (!isFillable || missing === 'keep' || missing === 'drop') return { name };
  if (missing === 'constant') return stored === 'string' ? { name, fill: fillText } : { name };
  const column = quoteIdentifier(name);
  const [most] = await queryRows<{ value: string | boolean }>(
    connection,
    `SELECT ${column} AS value FROM ${source} WHERE trim(CAST(${column} AS VARCHAR)) <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`,
  );
  return most ? { name, fill: most.value } : { name };
}

/** A number made of one column may be called like another column. */
function refuseTwins(made: readonly string[], passed: readonly { name: string }[]): void {
  // As DuckDB sees it: without regard to case.
  const seen = new Set<string>();
  for (const name of [...passed.map((column) => column.name), ...made]) {
    if (seen.has(name.toLowerCase()))
      throw new ServiceError('request_invalid', `Two columns of the result would be called ${JSON.stringify(name)}.`, [
        {
          path: 'preprocessing_config.columns',
          message: `two columns would be called ${name}: leave one as it is with encode, dates or text: none`,
        },
      ]);
    seen.add(name.toLowerCase());
  }
}
