import { shapePrediction } from '../../../core/kinds/heads.js';
import { rounded } from '../../../core/kinds/shaped-prediction.js';
import type { ModelKind } from '../../../core/names.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { encodeBatch } from '../../../ml/preprocess/encode-batch.js';
import { encodeRow, type TableEncoder } from '../../../ml/preprocess/table-encoder.js';
import { invalidFeatures } from '../../serving/invalid-features.js';
import type { AnswerColumn, BatchScorer } from '../../serving/scorer.js';
import { decidedClass, finish, readHead } from './head-answer.js';
import type { SharedAnswers } from './head-model.js';
import type { LoadedHead } from './scorer.js';
import { activitiesOf, mixInSequences } from './sequence-head.js';

/**
 * Answers many rows with each head's trees walked block by block. The numbers are those of single rows to the bit, and so is what
 * is made of them.
 * @param names the features as the caller knows them
 */
export function createBatchScorer(
  kind: ModelKind,
  encoder: TableEncoder,
  heads: readonly LoadedHead[],
  names: readonly string[],
): BatchScorer {
  return {
    unusedFeatures: encoder.ignored.map(({ name }) => name),
    areNamesPlain: heads.every(({ stored }) => !stored.name.includes('.')),
    predictRows(inputs) {
      const columns = encoder.columns.length;
      const values = new Float64Array(inputs.length * columns);
      const row = new Float64Array(columns);
      const refusals = inputs.map(({ features }, at) => {
        const problems = encodeRow(encoder, features, row);
        for (let column = 0; column < columns; column++) values[column * inputs.length + at] = row[column]!;
        return problems.length > 0 ? invalidFeatures(problems, names) : undefined;
      });
      const matrix = { rows: inputs.length, columns, values };
      const shared: SharedAnswers = new Map();
      const finished = heads.map((head) => {
        const all = finishedRows(head, matrix, shared);
        const { sequence } = head;
        if (!sequence) return all;
        const histories = inputs.map(({ options }) => activitiesOf(sequence, options));
        return mixInSequences(sequence, histories, all);
      });
      return refusals.map(
        (refusal, at) =>
          refusal ??
          shapePrediction(
            kind,
            heads.map(({ stored, model: { outputs } }, h) =>
              readHead(stored, finished[h]!.subarray(at * outputs, (at + 1) * outputs)),
            ),
          ),
      );
    },
    predictColumns(columns, start, end) {
      const { matrix, problems } = encodeBatch(encoder, columns, start, end);
      const shared: SharedAnswers = new Map();
      return {
        answers: heads.flatMap((head) => answerColumns(kind, head, finishedRows(head, matrix, shared))),
        problems,
      };
    },
  };
}

/** `[row * outputs + output]`: what the head answers with, calibrated. */
function finishedRows({ stored, model }: LoadedHead, matrix: FeatureMatrix, shared: SharedAnswers): Float64Array {
  const { outputs } = model;
  const all = model.predict(matrix, shared);
  if (stored.transform !== 'log' && !stored.calibration) return all;
  for (let at = 0; at < all.length; at += outputs) finish(stored, all, at);
  return all;
}

/** The answer as columns, by the names that `shapePrediction` gives its parts, joined with dots. */
function answerColumns(kind: ModelKind, { stored, model }: LoadedHead, all: Float64Array): AnswerColumn[] {
  const { outputs } = model;
  const rows = all.length / outputs;
  if (stored.task === 'regression') return regressionColumns(stored, all);
  const { name, task, classes, decision } = stored;
  const confidence = new Float64Array(rows);
  const codes = new Int32Array(rows);
  for (let row = 0, at = 0; row < rows; row++, at += outputs) {
    let likeliest = 0;
    for (let o = 1; o < outputs; o++) if (all[at + o]! > all[at + likeliest]!) likeliest = o;
    codes[row] = decision ? decidedClass(decision, all.subarray(at, at + outputs)) : likeliest;
    confidence[row] = rounded(all[at + (task === 'binary' ? likeliest : codes[row]!)]!);
  }
  const probabilityOf = (o: number) => {
    const values = new Float64Array(rows);
    for (let row = 0; row < rows; row++) values[row] = rounded(all[row * outputs + o]!);
    return values;
  };
  return [
    task === 'binary' ? { name, kind: 'number', values: probabilityOf(1) } : { name, kind: 'category', codes, classes },
    ...(kind === 'classification'
      ? classes.map((label, o): AnswerColumn => ({
          name: `probabilities.${String(label)}`,
          kind: 'number',
          values: probabilityOf(o),
        }))
      : []),
    { name: `${name}.confidence`, kind: 'number', values: confidence },
  ];
}

function regressionColumns(stored: LoadedHead['stored'], all: Float64Array): AnswerColumn[] {
  const parts = { value: all.map(rounded), lower: all.slice(), upper: all.slice(), level: all.slice() };
  for (let row = 0; row < all.length; row++) {
    const output = readHead(stored, all.subarray(row, row + 1));
    if (output.task !== 'regression') continue;
    parts.lower[row] = rounded(output.interval.lower);
    parts.upper[row] = rounded(output.interval.upper);
    parts.level[row] = output.interval.level;
  }
  const { name } = stored;
  return [
    { name, kind: 'number', values: parts.value },
    { name: 'interval.lower', kind: 'number', values: parts.lower },
    { name: 'interval.upper', kind: 'number', values: parts.upper },
    { name: 'interval.level', kind: 'number', values: parts.level },
    { name: `${name}.confidence`, kind: 'number', values: parts.level },
  ];
}
