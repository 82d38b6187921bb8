import {
  boostingFeatureImportance,
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
} from '../ensemble/gradient-boosting.js';
import { midRanks } from '../evaluate/roc.js';
import { takeRows, type FeatureMatrix } from '../matrix.js';
import { createPrng, shuffle } from '../random/prng.js';
import { chiSquareTail } from './incomplete-gamma.js';

const FOLDS = 2;
const ROUNDS = 40;
const LEAVES = 8;
const LEARNING_RATE = 0.1;

export interface DomainDrift {
  /** How well rows of the window are told from rows of the reference; 0.5 where they are alike. */
  roc_auc: number;
  /** Chance of as much if both came from one distribution, one-sided. */
  p_value: number;
  /** Columns that tell them apart, and the share each has in it. */
  columns: { column: number; share: number }[];
}

/**
 * Whether rows of a window can be told from rows of a reference by all their columns together: a classifier learns which is which on one half
 * and is judged on the other, and the other way round (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"). It sees what no column
 * shows alone, such as a correlation that broke. A half's scores do not depend on which of its rows are which, so that the chance is that of
 * the Mann-Whitney statistic.
 * @param reference rows, NaN = missing
 * @param current rows of the same columns
 * @param categorical columns that hold codes of categories, 0 to 253
 * @returns undefined with fewer than 50 rows on a side
 */
export function tellDomainsApart(
  reference: FeatureMatrix,
  current: FeatureMatrix,
  { categorical = [], seed }: { categorical?: readonly number[]; seed: number },
): DomainDrift | undefined {
  if (reference.rows < 50 || current.rows < 50) return undefined;
  const x = joinRows(reference, current);
  const y = Float64Array.from({ length: x.rows }, (_, row) => (row < reference.rows ? 0 : 1));
  const order = Uint32Array.from({ length: x.rows }, (_, row) => row);
  shuffle(order, createPrng(seed));
  const shares = new Float64Array(x.columns);
  let deviation = 0;
  let variance = 0;
  for (let fold = 0; fold < FOLDS; fold++) {
    const judged = order.filter((_, at) => at % FOLDS === fold);
    const learnt = order.filter((_, at) => at % FOLDS !== fold);
    const loss = { kind: 'logistic' } as const;
    const model = fitGradientBoosting({
      x: takeRows(x, learnt),
      y: Float64Array.from(learnt, (row) => y[row]!),
      categorical,
      loss,
      parameters: {
        ...defaultGradientBoostingParameters(loss),
        nEstimators: ROUNDS,
        maxLeaves: LEAVES,
        learningRate: LEARNING_RATE,
        classWeight: 'balanced',
        seed,
      },
    });
    boostingFeatureImportance(model).forEach((share, column) => (shares[column]! += share / FOLDS));
    const answers = predictBoosting(model, takeRows(x, judged));
    const half = mannWhitney(
      Float64Array.from(judged, (_, at) => answers[2 * at + 1]!),
      Float64Array.from(judged, (row) => y[row]!),
    );
    deviation += half.deviation / FOLDS;
    variance += half.variance / FOLDS ** 2;
  }
  const z = variance > 0 ? deviation / Math.sqrt(variance) : 0;
  const tail = chiSquareTail(z * z, 1) / 2;
  return {
    roc_auc: 0.5 + deviation,
    p_value: z > 0 ? tail : 1 - tail,
    columns: [...shares]
      .map((share, column) => ({ column, share }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share || a.column - b.column),
  };
}

/** How far the area under the ROC curve is from one half, and its variance where nothing can be told apart, ties included. */
function mannWhitney(scores: Float64Array, isCurrent: Float64Array): { deviation: number; variance: number } {
  const ranks = midRanks(scores);
  const n = scores.length;
  const positives = isCurrent.reduce((sum, one) => sum + one, 0);
  const negatives = n - positives;
  if (positives === 0 || negatives === 0) return { deviation: 0, variance: 0 };
  let sum = 0;
  let squares = 0;
  for (let row = 0; row < n; row++) {
    if (isCurrent[row] === 1) sum += ranks[row]!;
    squares += (ranks[row]! - (n + 1) / 2) ** 2;
  }
  const pairs = positives * negatives;
  // Of the sum of ranks of so many of the rows, drawn without replacement.
  const variance = (pairs / (n * (n - 1))) * squares;
  return { deviation: (sum - (positives * (n + 1)) / 2) / pairs, variance: variance / pairs ** 2 };
}

function joinRows(a: FeatureMatrix, b: FeatureMatrix): FeatureMatrix {
  const rows = a.rows + b.rows;
  const values = new Float64Array(rows * a.columns);
  for (let column = 0; column < a.columns; column++) {
    values.set(a.values.subarray(column * a.rows, (column + 1) * a.rows), column * rows);
    values.set(b.values.subarray(column * b.rows, (column + 1) * b.rows), column * rows + a.rows);
  }
  return { rows, columns: a.columns, values };
}
