import { join } from 'node:path';
import { applyCalibration } from '../../ml/calibrate/calibration.js';
import { predictForest } from '../../ml/ensemble/random-forest.js';
import { assignFolds } from '../../ml/evaluate/folds.js';
import { evaluateClassification, evaluateRegression, type MetricEstimate } from '../../ml/evaluate/metrics.js';
import { encodeTable, fitTableEncoder } from '../../ml/preprocess/table-encoder.js';
import { fitForestHead, takeRows, type FittedHead } from './fit-forest.js';
import { writeStaged } from '../storage/staged-file.js';
import { STAGED, type TrainingPlan } from './training-plan.js';
import { readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

const FOLDS = 5;

export interface CrossValidation {
  folds: number;
  /** Per head the metrics over all rows, each predicted by the model of the four folds without it. */
  heads: Record<string, Record<string, MetricEstimate>>;
}

/**
 * Five-fold estimates over all rows. Everything that is fitted (encoding, trees, calibration) is fitted anew in each fold;
 * rows of one entity share a fold.
 */
export async function crossValidateModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: (share: number, detail: string) => void,
): Promise<CrossValidation> {
  const table = await readTrainingTable(plan, staging);
  const heads: CrossValidation['heads'] = {};
  for (const [index, target] of table.targets.entries()) {
    heads[target.head.name] = crossValidateHead(plan, table, target, (share) =>
      onProgress((index + share) / table.targets.length, `${target.head.name}: 5-fold estimates`),
    );
  }
  const result = { folds: FOLDS, heads };
  await writeStaged(join(staging, STAGED.crossValidation), JSON.stringify(result));
  return result;
}

function crossValidateHead(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  onProgress: (share: number) => void,
) {
  const { seed } = plan.hyperparameters;
  const usable = rowsOf(target, () => true);
  const labels = Float64Array.from(usable, (row) => target.y[row]!);
  const folds = assignFolds(usable.length, FOLDS, {
    seed,
    labels,
    groups: Int32Array.from(usable, (row) => table.groups[row]!),
  });
  const outputs = Math.max(1, target.classes.length);
  const predictions = new Float64Array(usable.length * outputs);
  for (let fold = 0; fold < FOLDS; fold++) {
    const fitting = usable.filter((_, at) => folds[at] !== fold);
    const encoder = fitTableEncoder(table.features, fitting, {});
    const x = encodeTable(encoder, table.features);
    const fitted = fitForestHead(
      { x, target, rows: fitting, hyperparameters: plan.hyperparameters },
      ({ done, total }) => onProgress((fold + done / total) / FOLDS),
    );
    const judged = [...usable.keys()].filter((at) => folds[at] === fold);
    const answers = predictCalibrated(
      fitted,
      takeRows(
        x,
        Uint32Array.from(judged, (at) => usable[at]!),
      ),
      outputs,
    );
    judged.forEach((at, index) =>
      predictions.set(answers.subarray(index * outputs, (index + 1) * outputs), at * outputs),
    );
  }
  return target.head.task === 'regression'
    ? evaluateRegression({ predictions, targets: labels, seed })
    : evaluateClassification({ probabilities: predictions, labels, classes: outputs, seed });
}

/** What the head would answer for each row, calibrated. */
export function predictCalibrated(
  fitted: Pick<FittedHead, 'forest' | 'calibration'>,
  x: Parameters<typeof predictForest>[1],
  outputs: number,
): Float64Array {
  const answers = predictForest(fitted.forest, x);
  if (fitted.calibration) {
    for (let row = 0; row < x.rows; row++) {
      const answer = answers.subarray(row * outputs, (row + 1) * outputs);
      applyCalibration(fitted.calibration, answer, answer);
    }
  }
  return answers;
}
