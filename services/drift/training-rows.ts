import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { ScoreInput } from '../../core/schemas/prediction.js';
import { readHoldoutCases, type HoldoutCase, type HoldoutRecord } from '../artifacts/frozen-holdout.js';
import { bundleFolder } from '../artifacts/model-bundle.js';
import { quoteText } from '../duckdb.js';
import { loadScorer } from '../serving/load-scorer.js';
import type { Scorer } from '../serving/scorer.js';

/** Rows that are answered for the reference of predictions. */
const MOST_ANSWERED = 5000;
/** Between so many answers the worker's heartbeats go on. */
const ROWS_AT_ONCE = 64;

interface Subject {
  model: string;
  digest: string;
  holdout: HoldoutRecord;
}

/**
 * Makes `training_rows` of what was held out when a version was trained: features and truths as the version saw them, and what it answers to
 * them, in the shape of the log.
 * @returns false where the rows are missing or were changed
 * @throws ServiceError `artifact_corrupt`
 */
export async function loadTrainingRows(
  connection: DuckDBConnection,
  { model, digest, holdout }: Subject,
  context: { modelStoragePath: string; workFolder: string; signal: AbortSignal },
): Promise<boolean> {
  const cases = await readHoldoutCases(bundleFolder(context.modelStoragePath, model, digest), holdout);
  if (!cases || cases.length === 0) return false;
  const { scorer } = await loadScorer(context.modelStoragePath, model, digest);
  const path = join(context.workFolder, 'training-rows.ndjson');
  await pipeline(Readable.from(linesOf(cases, scorer, context.signal)), createWriteStream(path));
  await connection.run(`CREATE TABLE training_rows AS SELECT row_number() OVER () AS id, * FROM read_json(${quoteText(path)}, format = 'newline_delimited',
    columns = {features: 'JSON', predictions: 'JSON', outcome: 'JSON'}, maximum_object_size = 16777216)`);
  return true;
}

async function* linesOf(cases: readonly HoldoutCase[], scorer: Scorer, signal: AbortSignal): AsyncGenerator<string> {
  for (let at = 0; at < cases.length; at += ROWS_AT_ONCE) {
    const rows = cases.slice(at, at + ROWS_AT_ONCE);
    const answers =
      at < MOST_ANSWERED
        ? answerAll(
            scorer,
            rows.map(({ input }) => input),
          )
        : [];
    yield (
      rows
        .map(({ input, outcome }, row) =>
          JSON.stringify({ features: input.features, predictions: answers[row] ?? null, outcome }),
        )
        .join('\n') + '\n'
    );
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
}

/** A row that the version cannot answer has no answer in the log either. */
function answerAll(scorer: Scorer, inputs: readonly ScoreInput[]): (Record<string, unknown> | undefined)[] {
  const found = scorer.batch
    ? scorer.batch.predictRows(inputs)
    : inputs.map((input) => {
        try {
          return scorer.predict(input);
        } catch {
          return undefined;
        }
      });
  return found.map((answer) => (answer && 'predictions' in answer ? answer.predictions : undefined));
}
