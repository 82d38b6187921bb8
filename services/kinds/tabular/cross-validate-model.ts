import { takeRows } from '../../../ml/matrix.js';
import { join } from 'node:path';
import type { BoostingCrew } from '../../../ml/ensemble/boosting-work.js';
import { assignFolds } from '../../../ml/evaluate/folds.js';
import { evaluateClassification, evaluateRegression } from '../../../ml/evaluate/metrics.js';
import { readStagedJson } from '../../storage/staged-file.js';
import { STAGED, type TrainingPlan } from '../../training/training-plan.js';
import type { CrossValidation, FitOutcome, OnProgress } from '../recipe.js';
import { settlePlan, type SearchVerdict } from './choose-finalist.js';
import { fitEncoder } from './fit-encoder.js';
import { answerRows, fitHead, type FittedHead } from './fit-head.js';
import { createMembership, headInput, importNetworkFit, networkInput, trySequence } from './fit-model.js';
import type { NetworkInput } from './fit-network.js';
import { mixInSequences } from './sequence-head.js';
import { readTrainingTable, rowsOf, type HeadTarget, type TrainingTable } from './training-table.js';

const FOLDS = 5;

/**
 * Five-fold estimates over all rows. Everything that is fitted or chosen (encoding, algorithm, calibration) is so anew in each
 * fold; rows of one entity share a fold, and in a table in order of time each fold is a stretch of it.
 */
export async function crossValidateModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: OnProgress,
  crew?: BoostingCrew,
): Promise<CrossValidation> {
  const table = await readTrainingTable(plan, staging);
  const settled = settlePlan(plan, plan.sweep && (await readVerdict(staging)));
  const heads: CrossValidation['heads'] = {};
  for (const [index, target] of table.targets.entries()) {
    const onStep = (share: number) =>
      onProgress((index + share) / table.targets.length, `${target.head.name}: 5-fold estimates`);
    heads[target.head.name] = await measureHead(settled, table, target, onStep, crew);
  }
  return { folds: FOLDS, heads };
}

/** What the fit before this step settled on. */
async function readVerdict(staging: string): Promise<SearchVerdict | undefined> {
  const fit = await readStagedJson<FitOutcome>(join(staging, STAGED.fit));
  return fit.details?.['search'] as SearchVerdict | undefined;
}

async function measureHead(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  onProgress: (share: number) => void,
  crew: BoostingCrew | undefined,
) {
  const { seed } = plan;
  const usable = rowsOf(target, () => true);
  const labels = Float64Array.from(usable, (row) => target.y[row]!);
  const folds = table.isInTime
    ? Uint8Array.from(usable, (_, at) => Math.floor((at * FOLDS) / usable.length))
    : assignFolds(usable.length, FOLDS, { seed, labels, groups: Int32Array.from(usable, (row) => table.groups[row]!) });
  const predictions = await predictFolds(plan, table, target, usable, folds, onProgress, crew);
  return target.head.task === 'regression'
    ? evaluateRegression({ predictions, targets: labels, seed })
    : evaluateClassification({ probabilities: predictions, labels, classes: target.classes.length, seed });
}

/**
 * What models answer that did not see a row's fold: everything is fitted anew without it.
 * @param usable rows with a truth; `folds[i]` is the fold of row `usable[i]`, -1 for a row that is only learned from
 * @returns `[i * outputs + output]`, 0 for the rows of no fold
 */
export async function predictFolds(
  plan: TrainingPlan,
  table: TrainingTable,
  target: HeadTarget,
  usable: Uint32Array,
  folds: ArrayLike<number>,
  onProgress: (share: number) => void,
  crew?: BoostingCrew,
): Promise<Float64Array> {
  const outputs = Math.max(1, target.classes.length);
  const predictions = new Float64Array(usable.length * outputs);
  const foldOf = new Map([...usable].map((row, at) => [row, folds[at]!]));
  const count = Math.max(...foldOf.values()) + 1;
  for (let fold = 0; fold < count; fold++) {
    const isFitting = (row: number) => foldOf.get(row) !== fold;
    const { encoder, rows: wanted, x } = fitEncoder(plan, table, usable.filter(isFitting));
    const isWanted = createMembership(table.rows, wanted);
    const onStep = (share: number) => onProgress((fold + share) / count);
    const fitted =
      plan.algorithm === 'neural_network'
        ? await fitNetwork({ ...networkInput(plan, table, encoder, x, [target], wanted), onProgress: onStep })
        : fitHead({
            ...headInput(plan, table, encoder, x, target, isWanted),
            crew,
            onProgress: onStep,
          });
    const judged = [...usable.keys()].filter((at) => folds[at] === fold);
    const answers = answerRows(
      fitted,
      takeRows(
        x,
        Uint32Array.from(judged, (at) => usable[at]!),
      ),
    );
    const tried = await trySequence(plan, table, target, fitted, isWanted, onStep);
    if (tried?.sequence)
      mixInSequences(
        tried.sequence,
        judged.map((at) => table.histories!.activities[usable[at]!]!),
        answers,
      );
    judged.forEach((at, index) =>
      predictions.set(answers.subarray(index * outputs, (index + 1) * outputs), at * outputs),
    );
  }
  return predictions;
}

/** A network of one head alone. */
async function fitNetwork(input: NetworkInput): Promise<FittedHead> {
  const { fitNetworkHeads } = await importNetworkFit();
  return (await fitNetworkHeads(input)).heads[0]!;
}
