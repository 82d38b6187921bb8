import { crossFittedCost } from '../../../ml/evaluate/cost-threshold.js';
import type { SearchSubject, TrialMetric } from '../recipe.js';
import type { TabularSettings } from './plan.js';
import type { HeadModel } from './head-model.js';
import { costOf } from './model-cost.js';

const COST_PARTS = 5;

/** One head on one fold: what its model said of rows that it had not seen. */
export interface JudgedFold {
  model: HeadModel;
  /** `[row * outputs + output]` */
  answers: Float64Array;
  y: Float64Array;
}

/** What a trial of a table measures besides the loss that it reports. */
export function tabularMetrics({
  heads,
  settings,
}: Pick<SearchSubject, 'heads' | 'settings'>): Record<string, TrialMetric> {
  const quality = (better: TrialMetric['better']): TrialMetric => ({ better, isQuality: true });
  const expense: TrialMetric = { better: 'lower', isQuality: false };
  const ofHeads = heads.flatMap(({ name, task }) => [
    [`${name}.loss`, quality('lower')] as const,
    ...(task === 'regression' ? [] : [[`${name}.accuracy`, quality('higher')] as const]),
  ]);
  return {
    loss: quality('lower'),
    ...Object.fromEntries(ofHeads),
    ...((settings as TabularSettings | undefined)?.costs ? { cost: quality('lower') } : {}),
    model_bytes: expense,
    latency_us: expense,
  };
}

/** Bytes and time of a model, in the mean over the folds. @param folds by head */
export function foldCosts(folds: readonly (readonly JudgedFold[])[]) {
  const count = Math.min(...folds.map((of) => of.length));
  const costs = Array.from({ length: count }, (_, fold) => costOf(folds.map((of) => of[fold]!.model)));
  const mean = (of: (cost: (typeof costs)[number]) => number) => costs.reduce((sum, cost) => sum + of(cost), 0) / count;
  return { model_bytes: mean(({ model_bytes: bytes }) => bytes), latency_us: mean(({ latency_us: us }) => us) };
}

/** Share of the rows whose likeliest class is the true one. */
export function accuracyOf(folds: readonly JudgedFold[], classes: number): number {
  let [right, rows] = [0, 0];
  for (const { answers, y } of folds) {
    rows += y.length;
    y.forEach((truth, row) => {
      const own = answers.subarray(row * classes, (row + 1) * classes);
      right += Number(own.indexOf(Math.max(...own)) === truth);
    });
  }
  return right / rows;
}

/** Mean stated cost of a row, each fold acted on from the threshold that is cheapest on the others. @param positive class number */
export function foldedCost(
  folds: readonly JudgedFold[],
  positive: number,
  costs: NonNullable<TabularSettings['costs']>,
): number {
  return crossFittedCost({
    probabilities: Float64Array.from(
      folds.flatMap(({ answers, y }) => [...y.keys()].map((row) => answers[2 * row + positive]!)),
    ),
    labels: Float64Array.from(folds.flatMap(({ y }) => Array.from(y, (truth) => Number(truth === positive)))),
    // A network is judged once: its rows are parted here.
    folds: folds.flatMap(({ y }, fold) => Array.from(y, (_, row) => (folds.length > 1 ? fold : row % COST_PARTS))),
    costs,
  });
}
