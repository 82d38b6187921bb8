import { describe, expect, it } from 'vitest';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  predictForestRow,
} from '../../../ml/ensemble/random-forest.js';
import type { ForestTask, RandomForest } from '../../../ml/ensemble/random-forest.js';
import { explainForestRow, rescaleContributions } from '../../../ml/explain/tree-shap.js';
import { createPrng } from '../../../ml/random/prng.js';
import { matrixOf, rowOf } from './matrix-of.js';

const prng = createPrng(5);
const COLUMNS = 5;
const rows = Array.from({ length: 150 }, () =>
  Array.from({ length: COLUMNS }, () => (prng.next() < 0.15 ? NaN : prng.nextInt(6))),
);
const x = matrixOf(rows);

function fit(task: ForestTask, maxDepth = 6): RandomForest {
  const y = Float64Array.from(rows, (row) => {
    const z = (row[0] || 1) * (row[1] || 2) - (row[2] || 0);
    return task.kind === 'regression' ? z : Math.abs(z) % task.classes;
  });
  return fitRandomForest({
    x,
    y,
    task,
    parameters: { ...defaultRandomForestParameters(task), nEstimators: 4, maxDepth, minSamplesLeaf: 1 },
  });
}

/** The mean answer where only the columns of `known` are known: the definition that TreeSHAP's values follow. */
function expectation(forest: RandomForest, node: number, row: Float64Array, known: number, output: number): number {
  const feature = forest.feature[node]!;
  if (feature < 0) return forest.values[forest.valueOffset[node]! + output]!;
  const left = forest.left[node]!;
  const of = (child: number) => expectation(forest, child, row, known, output);
  if (known & (1 << feature)) {
    const value = row[feature]!;
    const goesLeft = Number.isNaN(value) ? forest.missingLeft[node] === 1 : value <= forest.threshold[node]!;
    return goesLeft ? of(left) : of(left + 1);
  }
  const [a, b] = [forest.cover[left]!, forest.cover[left + 1]!];
  return (a * of(left) + b * of(left + 1)) / (a + b);
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

/** Shapley values by their definition: a sum over all subsets. */
function bruteForce(forest: RandomForest, row: Float64Array, output: number): number[] {
  const trees = forest.treeOffsets.length - 1;
  const mean = (known: number): number => {
    let sum = 0;
    for (let tree = 0; tree < trees; tree++) sum += expectation(forest, forest.treeOffsets[tree]!, row, known, output);
    return sum / trees;
  };
  return Array.from({ length: COLUMNS }, (_, column) => {
    let value = 0;
    for (let known = 0; known < 1 << COLUMNS; known++) {
      if (known & (1 << column)) continue;
      const size = known
        .toString(2)
        .split('')
        .filter((bit) => bit === '1').length;
      const weight = (factorial(size) * factorial(COLUMNS - size - 1)) / factorial(COLUMNS);
      value += weight * (mean(known | (1 << column)) - mean(known));
    }
    return value;
  });
}

const TASKS: ForestTask[] = [
  { kind: 'classification', classes: 2 },
  { kind: 'classification', classes: 3 },
  { kind: 'regression' },
];

describe('the explanation of a prediction', () => {
  it.each(TASKS)('has the Shapley values of the definition (%j)', (task) => {
    const forest = fit(task);
    for (const row of [0, 1, 2, 3, 50, 99]) {
      const { contributions } = explainForestRow(forest, rowOf(x, row));
      for (let output = 0; output < forest.outputs; output++) {
        const expected = bruteForce(forest, rowOf(x, row), output);
        // Both are exact up to rounding in sums of some hundred terms.
        expected.forEach((value, column) => expect(contributions[output * COLUMNS + column]).toBeCloseTo(value, 10));
      }
    }
  });

  it.each(TASKS)('sums to the prediction within 1e-9, deep trees included (%j)', (task) => {
    const forest = fit(task, 30);
    const out = new Float64Array(forest.outputs);
    for (let row = 0; row < x.rows; row++) {
      const { base, contributions } = explainForestRow(forest, rowOf(x, row));
      predictForestRow(forest, rowOf(x, row), out);
      for (let output = 0; output < forest.outputs; output++) {
        let sum = base[output]!;
        for (let column = 0; column < COLUMNS; column++) sum += contributions[output * COLUMNS + column]!;
        expect(Math.abs(sum - out[output]!)).toBeLessThan(1e-9);
      }
    }
  });

  it('is zero for every column where the forest has no cut', () => {
    const task = TASKS[2]!;
    const forest = fitRandomForest({
      x,
      y: new Float64Array(x.rows).fill(3),
      task,
      parameters: { ...defaultRandomForestParameters(task), nEstimators: 2 },
    });
    const { base, contributions } = explainForestRow(forest, rowOf(x, 0));
    expect(base[0]).toBeCloseTo(3, 12);
    expect([...contributions]).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('rescaled contributions', () => {
  const link = (p: number) => 1 / (1 + Math.exp(-3 * p));

  it('sum to the linked output', () => {
    const scaled = rescaleContributions(0.3, 0.8, Float64Array.of(0.7, -0.2), link);
    expect(scaled.base).toBe(link(0.3));
    expect(scaled.base + scaled.contributions[0]! + scaled.contributions[1]!).toBeCloseTo(link(0.8), 12);
  });

  it('take the slope of the link where the output equals the base', () => {
    const scaled = rescaleContributions(0.5, 0.5, Float64Array.of(0.1, -0.1), link);
    const slope = 3 * link(0.5) * (1 - link(0.5));
    expect(scaled.contributions[0]).toBeCloseTo(0.1 * slope, 8);
  });
});
