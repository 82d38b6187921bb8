import { describe, expect, it } from 'vitest';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  predictForest,
  predictForestRow,
  treeCount,
  type ForestTask,
  type RandomForest,
} from '../../../ml/ensemble/random-forest.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng } from '../../../ml/random/prng.js';
import { rowOf } from './matrix-of.js';

/** Node by node, as `TreeNodes` says that trees are to be read. */
function walkPlainly(forest: RandomForest, row: Float64Array): number[] {
  const sums = new Array<number>(forest.outputs).fill(0);
  for (let tree = 0; tree < treeCount(forest); tree++) {
    let node = forest.treeOffsets[tree]!;
    for (let column = forest.feature[node]!; column >= 0; column = forest.feature[node]!) {
      const value = Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, row[column]!));
      const goesLeft = Number.isNaN(value) ? forest.missingLeft[node] === 1 : value <= forest.threshold[node]!;
      node = forest.left[node]! + (goesLeft ? 0 : 1);
    }
    for (let o = 0; o < forest.outputs; o++) sums[o]! += forest.values[forest.valueOffset[node]! + o]!;
  }
  return sums.map((sum) => sum / treeCount(forest));
}

function drawMatrix(rows: number, columns: number, seed: number, missing: (column: number) => number): FeatureMatrix {
  const prng = createPrng(seed);
  const values = new Float64Array(rows * columns);
  for (let at = 0; at < values.length; at++) {
    const isMissing = prng.next() < missing(Math.floor(at / rows));
    values[at] = isMissing ? NaN : Math.round(20 * prng.nextGaussian()) / 10;
  }
  return { rows, columns, values };
}

function fitDrawn(task: ForestTask, columns: number, trees: number): RandomForest {
  const x = drawMatrix(500, columns, 5, (column) => (column % 3 === 0 ? 0 : 0.2));
  const classes = task.kind === 'classification' ? task.classes : 0;
  const y = Float64Array.from({ length: x.rows }, (_, row) => {
    const score = Math.abs((x.values[row] || 1) + 2 * (x.values[x.rows + row] || 0.5));
    return classes > 0 ? Math.floor(score * 3) % classes : score;
  });
  const parameters = { ...defaultRandomForestParameters(task), nEstimators: trees, minSamplesLeaf: 1, maxDepth: null };
  return fitRandomForest({ x, y, task, parameters });
}

const TASKS: [string, ForestTask, number, number][] = [
  ['one number', { kind: 'regression' }, 5, 20],
  ['two classes, one tree', { kind: 'classification', classes: 2 }, 5, 1],
  ['three classes, more columns than go into a number', { kind: 'classification', classes: 3 }, 40, 30],
  ['nine classes', { kind: 'classification', classes: 9 }, 6, 17],
];

describe.each(TASKS)('trees laid out for walking: %s', (_, task, columns, trees) => {
  const forest = fitDrawn(task, columns, trees);
  // Columns that are missing everywhere, here and there, and nowhere; more patterns than are kept, in turn.
  const shares: ((column: number) => number)[] = [
    () => 0,
    () => 0.3,
    () => 1,
    ...Array.from({ length: 7 }, (__, k) => (column: number) => (column % (k + 2) === 0 ? 1 : k % 2 === 0 ? 0 : 0.1)),
  ];

  it('gives each row of a matrix what its trees say, to the bit, whatever is missing and however often', () => {
    for (const seed of [1, 2]) {
      for (const missing of shares) {
        for (const rows of [1, 63, 300]) {
          const x = drawMatrix(rows, columns, seed, missing);
          const answers = predictForest(forest, x);
          for (let row = 0; row < rows; row++)
            expect([...answers.subarray(row * forest.outputs, (row + 1) * forest.outputs)]).toEqual(
              walkPlainly(forest, rowOf(x, row)),
            );
        }
      }
    }
  });

  it('gives single rows the same, before and after it knows what they leave out', () => {
    const out = new Float64Array(forest.outputs);
    for (const missing of shares) {
      const x = drawMatrix(300, columns, 3, missing);
      for (let row = 0; row < x.rows; row++) {
        predictForestRow(forest, rowOf(x, row), out);
        expect([...out]).toEqual(walkPlainly(forest, rowOf(x, row)));
      }
    }
  });

  it('takes infinite values as the largest ones', () => {
    const out = new Float64Array(forest.outputs);
    for (const value of [Infinity, -Infinity, Number.MAX_VALUE, -0]) {
      const row = new Float64Array(columns).fill(value);
      predictForestRow(forest, row, out);
      expect([...out]).toEqual(walkPlainly(forest, row));
    }
  });
});

it('answers no rows with nothing', () => {
  const forest = fitDrawn({ kind: 'regression' }, 5, 3);
  expect(predictForest(forest, { rows: 0, columns: 5, values: new Float64Array(0) })).toHaveLength(0);
});
