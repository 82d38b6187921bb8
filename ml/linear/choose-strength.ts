import { assignFolds } from '../evaluate/folds.js';
import { fitLogistic, logisticLoss } from './logistic-regression.js';
import type { LogisticParameters, LogisticProblem } from './logistic-regression.js';

/** Penalties tried, per unit of training weight, from the strongest on. */
const LOGISTIC_PATH = [1, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5];
const FOLDS = 5;
/** Larger tables are judged on one fold, which then has enough rows to tell penalties apart. */
const MOST_ROWS_OF_ALL_FOLDS = 20_000;
/** Weaker penalties are not tried after so many in a row that did worse. */
const PATIENCE = 2;
/** Losses of neighbouring penalties differ by more than this part. */
const PRECISION = 1e-5;
/** Where there are too few rows to compare by: scikit-learn's default. */
const STRENGTH_OF_FEW_ROWS = 1;

/**
 * Chooses the penalty of a logistic regression by 5-fold cross-validated log loss, stratified by class, along a path from strong
 * to weak; each fit starts at the last one of its fold. Above 20,000 rows one of the folds is enough. With fewer than 2 rows of a class or 10 rows there is nothing to compare
 * by, and the answer is 1.
 */
export function chooseLogisticStrength(problem: LogisticProblem, seed: number): number {
  const counts = new Float64Array(problem.classes);
  let total = 0;
  problem.weights.forEach((weight, row) => {
    if (weight > 0) counts[problem.labels[row]!]!++;
    total += weight;
  });
  const rarest = Math.min(...counts);
  if (rarest < 2 || problem.rows < 10) return STRENGTH_OF_FEW_ROWS;
  const folds = assignFolds(problem.rows, Math.min(FOLDS, rarest), { seed, labels: problem.labels });
  const all = splitWeights(problem, folds);
  const parts = problem.rows > MOST_ROWS_OF_ALL_FOLDS ? all.slice(0, 1) : all;
  const fitted: (LogisticParameters | undefined)[] = parts.map(() => undefined);
  let best = LOGISTIC_PATH[0]!;
  let least = Infinity;
  let worse = 0;
  for (const ratio of LOGISTIC_PATH) {
    let loss = 0;
    parts.forEach(({ training, held, trainingWeight }, k) => {
      const parameters = fitLogistic({ ...problem, weights: training }, ratio * trainingWeight, fitted[k], PRECISION);
      fitted[k] = parameters;
      loss += logisticLoss(problem, parameters, held);
    });
    if (loss < least) {
      least = loss;
      best = ratio;
      worse = 0;
    } else if (++worse >= PATIENCE) {
      break;
    }
  }
  return best * total;
}

interface WeightSplit {
  training: Float64Array;
  held: Float64Array;
  trainingWeight: number;
}

/** Folds as weights: a row that is held out weighs 0 in training, so that no row need be copied. */
function splitWeights({ weights, labels, classes }: LogisticProblem, folds: Uint8Array): WeightSplit[] {
  const splits: WeightSplit[] = [];
  const count = folds.reduce((most, fold) => Math.max(most, fold), 0) + 1;
  for (let k = 0; k < count; k++) {
    const training = weights.map((weight, row) => (folds[row] === k ? 0 : weight));
    const held = weights.map((weight, row) => (folds[row] === k ? weight : 0));
    const present = new Set<number>();
    let trainingWeight = 0;
    training.forEach((weight, row) => {
      if (weight > 0) present.add(labels[row]!);
      trainingWeight += weight;
    });
    // Rows of weight 0 are dealt out too, so a fold can, rarely, hold all the rows that count of a class.
    if (present.size === classes) splits.push({ training, held, trainingWeight });
  }
  return splits;
}
