import { ServiceError } from '../../core/errors.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import type { BatchColumn } from '../../ml/preprocess/encode-batch.js';
import { unstorablePaths } from '../parse-request.js';
import { cellOf } from './column-row.js';
import { hasViews } from './fill-features.js';
import { answerColumnsOf } from './flat-answers.js';
import { predictColumns, predictMany, type BatchCall, type BatchContext } from './predict-many.js';
import { readArrow } from './read-arrow.js';
import type { ServedModel } from './routing-table.js';
import { writeArrow } from './write-arrow.js';

/** Columns that may name the entity of a row, where the model has no feature of that name. */
const ENTITY_NAMES = ['entity_id', 'user_id', 'project_id', 'series_id'];
/** Kinds that answer row by row take as many rows as a JSON batch. */
const MOST_SINGLE_ROWS = 10_000;

/**
 * Answers an Arrow IPC stream with one.
 * @throws ServiceError `request_malformed`, `request_invalid` with paths, `version_not_deployed`, `version_not_found`; CallerGoneError
 */
export async function answerArrow(context: BatchContext, bytes: Uint8Array, call: BatchCall): Promise<Uint8Array> {
  const served = await context.predict.versionFor(call.model, call.modelVersion);
  const { rows, columns: all } = readArrow(bytes);
  const { columns, entities } = assignColumns(served, all);
  // Rows whose features may come from the store are filled one by one.
  const answered =
    served.scorer.batch && !(entities && hasViews(served))
      ? await predictColumns(context, served, { rows, columns, entities }, call)
      : await predictSingly(context, rows, columns, entities, call);
  return writeArrow(call.model, answered);
}

function assignColumns({ scorer }: ServedModel, all: readonly BatchColumn[]) {
  const { signature, kind } = scorer.bundle.manifest;
  const features = new Set(kind === 'recommendation' ? [] : signature.map(({ name }) => name));
  for (const name of scorer.batch?.unusedFeatures ?? []) features.add(name);
  const entities = all.find(({ name }) => !features.has(name) && ENTITY_NAMES.includes(name));
  const unknown = all.filter((column) => column !== entities && !features.has(column.name));
  const problems = unknown.map(({ name }) => ({
    path: `columns.${name.slice(0, 256)}`,
    message: 'the model knows no feature of this name: remove it or correct its spelling',
  }));
  if (entities) problems.push(...entityProblems(entities));
  problems.push(...all.flatMap((column) => unstorableTexts(column)));
  if (problems.length > 0)
    throw new ServiceError(
      'request_invalid',
      `The columns do not fit the model. Its features: ${signature.map(({ name }) => name).join(', ')}.`,
      problems.slice(0, 20),
    );
  return { columns: all.filter((column) => column !== entities), entities };
}

function entityProblems({ name, ...column }: BatchColumn) {
  const isNamed = (value: unknown) =>
    value === null || typeof value === 'number' || (typeof value === 'string' && value !== '' && value.length <= 256);
  const given = column.kind === 'codes' ? column.dictionary : column.kind === 'values' ? column.values : [];
  return given.every(isNamed)
    ? []
    : [{ path: `columns.${name}`, message: 'must be texts of 1 to 256 characters, or null' }];
}

/** The log could not keep these. */
function unstorableTexts(column: BatchColumn) {
  const given = column.kind === 'codes' ? column.dictionary : column.kind === 'values' ? column.values : [];
  const texts = given.filter((value) => typeof value === 'string');
  const at = texts.findIndex((text) => unstorablePaths(text).length > 0);
  return at < 0
    ? []
    : [{ path: `columns.${column.name}`, message: 'has a text with a NUL character or half a surrogate pair' }];
}

/** Kinds whose answers need each row by itself. */
async function predictSingly(
  context: BatchContext,
  rows: number,
  columns: readonly BatchColumn[],
  entities: BatchColumn | undefined,
  call: BatchCall,
) {
  if (rows > MOST_SINGLE_ROWS)
    throw new ServiceError(
      'request_invalid',
      `This model answers row by row, at most ${MOST_SINGLE_ROWS} rows a call.`,
      [{ path: 'body', message: `has ${rows} rows` }],
    );
  const inputs = Array.from({ length: rows }, (_, row): PredictInput => {
    const entity = entities && cellOf(entities, row);
    return {
      entityId: entity === null || entity === undefined ? undefined : String(entity as string | number),
      features: Object.fromEntries(columns.map((column) => [column.name, scalarOf(cellOf(column, row))])),
      explain: false,
    };
  });
  const answers = await predictMany(context, inputs, call);
  const predictions = answers.map((answer, row) => {
    if (!(answer instanceof ServiceError)) return answer;
    const problems = answer.problems.map(({ path, message }) => ({ path: `rows.${row}.${path}`, message }));
    throw new ServiceError(answer.code, answer.message, problems);
  });
  const { version } = await context.predict.versionFor(call.model, call.modelVersion);
  const ids = Buffer.from(predictions.map((answer) => answer.prediction_id).join(''), 'latin1');
  return { version: predictions[0]?.model_version ?? version, ids, answers: answerColumnsOf(predictions) };
}

const scalarOf = (value: unknown) =>
  value instanceof Date ? value.toISOString() : (value as string | number | boolean | null);
