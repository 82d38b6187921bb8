import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import type { BatchColumn, BatchProblem } from '../../ml/preprocess/encode-batch.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { OnlineFeatures } from '../features/online-features.js';
import { columnsOfRows, shapeColumns } from './columns-of-rows.js';
import { fillFeatures, hasViews } from './fill-features.js';
import type { PredictionLog } from './prediction-log.js';
import type { BatchTurns } from './batch-turns.js';
import { idInRange, writeIdRange } from './prediction-id.js';
import { completeAnswer, type PredictionAnswer, type Predictor } from './predict.js';
import type { ServedModel } from './routing-table.js';
import type { AnswerColumn } from './scorer.js';

/** Rows between two looks at the clock: a fraction of a millisecond even for the widest models of the service. */
const BLOCK_ROWS = 256;
/** Other requests wait for a batch no longer than about this. */
const MOST_MS_AT_A_TIME = 8;

export interface BatchContext {
  predict: Predictor;
  predictionLog: PredictionLog;
  metrics: Metrics;
  batchTurns: BatchTurns;
  onlineFeatures: OnlineFeatures;
}

export interface BatchCall {
  model: string;
  modelVersion: string | undefined;
  correlationId: string;
  caller?: string;
  /** True once nobody waits for the answer: the rest is left undone. */
  isGone: () => boolean;
}

/** Nobody waits for the answer any more. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError';
}

/** Gives way to other requests when the batch has had its time. */
class TimeSlice {
  #sinceMs = performance.now();
  constructor(private readonly isGone: () => boolean) {}
  async giveWay(): Promise<void> {
    if (performance.now() - this.#sinceMs < MOST_MS_AT_A_TIME) return;
    await nextTurn();
    if (this.isGone()) throw new CallerGoneError();
    this.#sinceMs = performance.now();
  }
}

/**
 * Answers many requests to one model, in order. Each is a prediction of its own: logged, counted, with its id. Rows of models that
 * answer from a table go through block by block, past the cache: finding a row there takes as long as answering it in a block.
 * @returns an entry a row: its answer, or the refusal of a row that does not fit
 * @throws ServiceError what concerns the whole call, such as `version_not_deployed` and `overloaded`; CallerGoneError
 */
export function predictMany(
  context: BatchContext,
  inputs: readonly PredictInput[],
  call: BatchCall,
): Promise<(PredictionAnswer | ServiceError)[]> {
  return context.batchTurns.run(inputs.length, () => answerInputs(context, inputs, call));
}

async function answerInputs(
  context: BatchContext,
  inputs: readonly PredictInput[],
  call: BatchCall,
): Promise<(PredictionAnswer | ServiceError)[]> {
  if (call.isGone()) throw new CallerGoneError();
  const { model, correlationId } = call;
  const served = await context.predict.versionFor(model, call.modelVersion);
  const results = new Array<PredictionAnswer | ServiceError>(inputs.length);
  const isOnTrial = served.rollout !== undefined || served.experiments !== undefined;
  const slice = new TimeSlice(call.isGone);
  const together: number[] = [];
  for (const [at, input] of inputs.entries()) {
    // On trial each row has its arm, or its shadow.
    if (served.scorer.batch && !isOnTrial && !input.explain && input.modelVersion === undefined) {
      together.push(at);
      continue;
    }
    const modelVersion = input.modelVersion ?? call.modelVersion;
    results[at] = await answerRow(context, model, { ...input, modelVersion, caller: call.caller }, correlationId);
    await slice.giveWay();
  }
  for (let start = 0; start < together.length; start += BLOCK_ROWS) {
    const block = together.slice(start, start + BLOCK_ROWS);
    const answers = await answerBlock(
      context,
      served,
      block.map((at) => ({ ...inputs[at]!, caller: call.caller })),
      correlationId,
    );
    for (const [i, at] of block.entries()) results[at] = answers[i]!;
    await slice.giveWay();
  }
  await context.predictionLog.written();
  return results;
}

async function answerRow({ predict }: BatchContext, model: string, input: PredictInput, correlationId: string) {
  try {
    return await predict.answerOrNote(await predict.versionFor(model, input.modelVersion), input, correlationId);
  } catch (error) {
    return onlyOfTheRow(error);
  }
}

/** A missing model concerns the whole call; a bad row concerns itself only. */
function onlyOfTheRow(error: unknown): ServiceError {
  if (error instanceof ServiceError && error.code === 'request_invalid') return error;
  throw error;
}

async function answerBlock(
  { predictionLog: log, metrics, onlineFeatures }: BatchContext,
  served: ServedModel,
  asked: readonly PredictInput[],
  correlationId: string,
): Promise<(PredictionAnswer | ServiceError)[]> {
  const filled = hasViews(served) ? await fillFeatures(onlineFeatures, served, asked) : undefined;
  const inputs = filled?.map(({ input }) => input) ?? asked;
  const startMs = performance.now();
  const together = filled ? undefined : answerTogether({ log, metrics }, served, inputs, correlationId);
  if (together) return together;
  const shapes = served.scorer.batch!.predictRows(inputs);
  const rowSeconds = (performance.now() - startMs) / 1000 / inputs.length;
  return shapes.map((shaped, at) =>
    shaped instanceof ServiceError
      ? shaped
      : completeAnswer(
          { metrics, log },
          served,
          inputs[at]!,
          { correlationId, filled: filled?.[at] },
          { shaped, cached: false },
          rowSeconds,
        ),
  );
}

/** Rows that are alike go as columns all the way, into the log too. @returns undefined where they differ, or one of them does not fit */
function answerTogether(
  { log, metrics }: { log: PredictionLog; metrics: Metrics },
  served: ServedModel,
  inputs: readonly PredictInput[],
  correlationId: string,
): PredictionAnswer[] | undefined {
  const { scorer, model, version } = served;
  const batch = scorer.batch!;
  const asColumns = batch.areNamesPlain ? columnsOfRows(inputs) : undefined;
  if (!asColumns) return undefined;
  const startMs = performance.now();
  const { answers, problems } = batch.predictColumns(asColumns.columns, 0, inputs.length);
  if (problems.length > 0) return undefined;
  const seconds = (performance.now() - startMs) / 1000 / inputs.length;
  metrics.countPrediction(model, version, false, seconds, inputs.length);
  const idPrefix = logColumns(log, served, { ...asColumns, rows: inputs.length }, answers, {
    correlationId,
    caller: inputs[0]?.caller,
    seconds,
  });
  return shapeColumns(answers, inputs.length).map((shaped, row) => {
    const warnings = scorer.warnings(inputs[row]!);
    return {
      prediction_id: idInRange(idPrefix, row),
      model,
      model_version: version,
      ...shaped,
      cached: false,
      ...(warnings.length > 0 ? { warnings } : {}),
    };
  });
}

/** @param of what all rows share; its seconds are those of one. @returns what the ids of the rows begin with */
const logColumns = (
  log: PredictionLog,
  { model, version }: ServedModel,
  { rows, columns, entities }: ColumnBatch,
  answers: readonly AnswerColumn[],
  { correlationId, caller, seconds }: { correlationId: string; caller?: string; seconds: number },
): string =>
  log.addColumns(
    { model, version, correlationId },
    {
      rows,
      features: columns,
      predictions: answers.filter(({ name }) => !name.endsWith('.confidence')),
      entities,
      latencyUs: Math.round(seconds * 1e6),
      caller,
    },
  );

/** Rows of columns, and the column that names their entities where there is one. */
export interface ColumnBatch {
  rows: number;
  columns: readonly BatchColumn[];
  entities: BatchColumn | undefined;
}

export interface AnsweredColumns {
  version: string;
  /** `ID_LENGTH` characters a row. */
  ids: Uint8Array;
  answers: AnswerColumn[];
}

/**
 * Answers rows that came as columns, without an object a row on the way. All rows are looked at before any is logged: a batch with
 * a value that cannot be read is refused as a whole.
 * @param served a version whose scorer has `batch`
 * @throws ServiceError `request_invalid` with the path of the first 20 values that do not fit, `overloaded`; CallerGoneError
 */
export function predictColumns(
  context: BatchContext,
  served: ServedModel,
  batch: ColumnBatch,
  call: BatchCall,
): Promise<AnsweredColumns> {
  return context.batchTurns.run(batch.rows, () => answerColumns(context, served, batch, call));
}

async function answerColumns(
  context: BatchContext,
  served: ServedModel,
  batch: ColumnBatch,
  call: BatchCall,
): Promise<AnsweredColumns> {
  const { rows, columns } = batch;
  const slice = new TimeSlice(call.isGone);
  const blocks: AnswerColumn[][] = [];
  const startMs = performance.now();
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const block = served.scorer.batch!.predictColumns(columns, start, Math.min(rows, start + BLOCK_ROWS));
    if (block.problems.length > 0) throw unreadable(block.problems);
    blocks.push(block.answers);
    await slice.giveWay();
  }
  const seconds = (performance.now() - startMs) / 1000 / Math.max(1, rows);
  const answers = joinBlocks(blocks, rows);
  if (rows > 0) context.metrics.countPrediction(served.model, served.version, false, seconds, rows);
  // The rows were answered, so they are logged whether or not the caller is still there.
  const idPrefix = logColumns(context.predictionLog, served, batch, answers, { ...call, seconds });
  await context.predictionLog.written();
  return { version: served.version, ids: writeIdRange(idPrefix, rows), answers };
}

function unreadable(problems: readonly BatchProblem[]): ServiceError {
  return new ServiceError(
    'request_invalid',
    'The batch has values that do not fit the model’s features. Nothing of it was answered.',
    problems.map(({ row, name, message }): FieldProblem => ({ path: `rows.${row}.features.${name}`, message })),
  );
}

function joinBlocks(blocks: readonly AnswerColumn[][], rows: number): AnswerColumn[] {
  return (blocks[0] ?? []).map((first, at): AnswerColumn => {
    if (first.kind === 'number') {
      const values = new Float64Array(rows);
      blocks.forEach((block, b) => values.set((block[at] as typeof first).values, b * BLOCK_ROWS));
      return { ...first, values };
    }
    const codes = new Int32Array(rows);
    blocks.forEach((block, b) => codes.set((block[at] as typeof first).codes, b * BLOCK_ROWS));
    return { ...first, codes };
  });
}
