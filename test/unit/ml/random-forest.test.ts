import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  forestFeatureImportance,
  outOfBagPredictions,
  predictForest,
  predictForestRow,
  treeCount,
} from '../../../ml/ensemble/random-forest.js';
import type { ForestTask, RandomForest, RandomForestParameters } from '../../../ml/ensemble/random-forest.js';
import { evaluateClassification, evaluateRegression } from '../../../ml/evaluate/metrics.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';
import { matrixOf, rowOf } from './matrix-of.js';

const BINARY: ForestTask = { kind: 'classification', classes: 2 };
const REGRESSION: ForestTask = { kind: 'regression' };

function parametersOf(task: ForestTask, changes: Partial<RandomForestParameters> = {}): RandomForestParameters {
  return { ...defaultRandomForestParameters(task), nEstimators: 10, minSamplesLeaf: 1, ...changes };
}

/** A single tree that sees every row and column, as a decision tree would. */
const ONE_TREE = { nEstimators: 1, bootstrap: false, maxFeatures: 'all', maxDepth: null } as const;

function randomTable(
  rows: number,
  columns: number,
  seed: number,
  missingShare = 0.1,
): { x: FeatureMatrix; y: Float64Array } {
  const prng = createPrng(seed);
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < values.length; i++) values[i] = prng.next() < missingShare ? NaN : prng.nextGaussian();
  const y = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const z = (values[row] || 0) - (values[rows + row] || 0) + (Number.isNaN(values[row]) ? 2 : 0);
    y[row] = prng.next() < 1 / (1 + Math.exp(-2 * z)) ? 1 : 0;
  }
  return { x: { rows, columns, values }, y };
}

interface ForestGolden {
  rows: number;
  features: number;
  train: number;
  hundredths: number[];
  labels: number[];
  values: number[];
  auc: [number, number];
  rmse: [number, number];
  importance: number[];
}

describe('a fitted forest', () => {
  const { x, y } = randomTable(600, 5, 1);

  it('is identical to the bit when fitted twice with one seed', () => {
    const input = { x, y, task: BINARY, parameters: parametersOf(BINARY) };
    expect(fitRandomForest(input)).toEqual(fitRandomForest(input));
  });

  it('is another one with another seed', () => {
    const first = fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY) });
    const second = fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY, { seed: 1 }) });
    expect(second.threshold).not.toEqual(first.threshold);
  });

  it.each([BINARY, REGRESSION, { kind: 'classification', classes: 3 } as const])(
    'is identical to the bit when it was resumed after any count of trees (%j)',
    (task) => {
      const parameters = parametersOf(task);
      const partials: RandomForest[] = [];
      const whole = fitRandomForest({ x, y, task, parameters, onTree: ({ partial }) => partials.push(partial()) });
      expect(partials.map(treeCount)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      for (const resumeFrom of partials) expect(fitRandomForest({ x, y, task, parameters, resumeFrom })).toEqual(whole);
    },
  );

  it('predicts a row alone as it predicts it among others, to the bit', () => {
    const forest = fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY, { nEstimators: 7 }) });
    const all = predictForest(forest, x);
    const out = new Float64Array(2);
    for (let row = 0; row < x.rows; row++) {
      predictForestRow(forest, rowOf(x, row), out);
      expect([out[0], out[1]]).toEqual([all[2 * row], all[2 * row + 1]]);
    }
  });

  it('gives class probabilities that sum to 1', () => {
    const parameters = parametersOf(BINARY, { classWeight: 'balanced' });
    const p = predictForest(fitRandomForest({ x, y, task: BINARY, parameters }), x);
    for (let row = 0; row < x.rows; row++) expect(p[2 * row]! + p[2 * row + 1]!).toBeCloseTo(1, 12);
  });

  it('refuses a matrix with another count of columns', () => {
    const forest = fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY) });
    expect(() => predictForest(forest, matrixOf([[1, 2]]))).toThrow(/fitted on 5 columns but the matrix has 2/);
  });

  it('refuses to resume from a forest of another table', () => {
    const other = randomTable(50, 3, 2);
    const resumeFrom = fitRandomForest({ ...other, task: BINARY, parameters: parametersOf(BINARY) });
    expect(() => fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY), resumeFrom })).toThrow(
      /cannot resume/,
    );
  });

  it.each([
    ['nEstimators', 0],
    ['maxDepth', -1],
    ['minSamplesSplit', 1],
    ['minSamplesLeaf', 0],
    ['maxFeatures', 1.5],
    ['maxBins', 256],
    ['seed', 0.5],
  ])('is refused with the name of a parameter out of range: %s = %s', (name, value) => {
    const parameters = { ...parametersOf(BINARY), [name]: value };
    expect(() => fitRandomForest({ x, y, task: BINARY, parameters })).toThrow(
      new RegExp(`parameter ${name} is ${value}`),
    );
  });

  it('is refused with the row of a target out of range', () => {
    const task = BINARY;
    expect(() =>
      fitRandomForest({ x: matrixOf([[1], [2]]), y: Float64Array.of(0, 2), task, parameters: parametersOf(task) }),
    ).toThrow(/target of row 1 is 2 but must be a class number from 0 to 1/);
  });
});

describe('the answers of a tree', () => {
  const tree = (
    rows: number[][],
    targets: number[],
    task: ForestTask,
    changes: Partial<RandomForestParameters> = {},
  ) => {
    const x = matrixOf(rows);
    const parameters = parametersOf(task, { ...ONE_TREE, ...changes });
    return { x, forest: fitRandomForest({ x, y: Float64Array.from(targets), task, parameters }) };
  };

  it('are the training targets where no two rows are alike and nothing limits growth', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 60 }),
        fc.infiniteStream(fc.integer({ min: -1000, max: 1000 })),
        (inputs, stream) => {
          const targets = inputs.map(() => stream.next().value as number);
          const { x, forest } = tree(
            inputs.map((value) => [value]),
            targets,
            REGRESSION,
          );
          expect([...predictForest(forest, x)]).toEqual(targets);
        },
      ),
    );
  });

  it('learn the exclusive or, whose first cut gains nothing', () => {
    const { x, forest } = tree(
      [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ],
      [0, 1, 1, 0],
      BINARY,
    );
    expect([...predictForest(forest, x)]).toEqual([1, 0, 0, 1, 0, 1, 1, 0]);
  });

  it('are the mean where all rows are alike', () => {
    const { x, forest } = tree(
      [
        [1, NaN],
        [1, NaN],
        [1, NaN],
      ],
      [1, 2, 6],
      REGRESSION,
    );
    expect(forest.feature.length).toBe(1);
    expect(predictForest(forest, x)[0]).toBeCloseTo(3, 12);
  });

  it('are the only class there is', () => {
    const { x, forest } = tree([[1], [2], [3]], [1, 1, 1], BINARY);
    expect([...predictForest(forest, x)]).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('are the target of the only row', () => {
    const { x, forest } = tree([[NaN, 3]], [42], REGRESSION);
    expect([...predictForest(forest, x)]).toEqual([42]);
  });

  it('tell missing from present where that is all there is to tell', () => {
    const { forest } = tree([[NaN], [NaN], [1], [2]], [0, 0, 1, 1], BINARY);
    const p = predictForest(forest, matrixOf([[NaN], [-1e300], [Infinity], [1.5]]));
    expect([p[1], p[3], p[5], p[7]]).toEqual([0, 1, 1, 1]);
  });

  it('send missing values to the side that suits them in training', () => {
    const { forest } = tree([[1], [2], [NaN], [9], [10]], [0, 0, 1, 1, 1], BINARY);
    expect(predictForest(forest, matrixOf([[NaN]]))[1]).toBe(1);
  });

  it('send missing values with the larger side where training had none', () => {
    const { forest } = tree([[1], [2], [3], [9]], [0, 0, 0, 1], BINARY);
    expect(predictForest(forest, matrixOf([[NaN]]))[1]).toBe(0);
  });

  it('keep equal values together', () => {
    const { x, forest } = tree([[1], [1], [2], [2]], [0, 1, 1, 1], BINARY);
    expect([...predictForest(forest, x)].filter((_, i) => i % 2 === 1)).toEqual([0.5, 0.5, 1, 1]);
  });

  it('keep neighbouring doubles apart', () => {
    const near = 1 + Number.EPSILON;
    const { x, forest } = tree([[1], [near]], [0, 1], BINARY);
    expect([...predictForest(forest, x)]).toEqual([1, 0, 0, 1]);
  });

  it('rest on at least the asked weight in every leaf and go no deeper than allowed', () => {
    const { x, y } = randomTable(500, 4, 3);
    const limits = { ...ONE_TREE, minSamplesLeaf: 20, maxDepth: 4 };
    const forest = fitRandomForest({ x, y, task: BINARY, parameters: parametersOf(BINARY, limits) });
    forest.feature.forEach((feature, node) => feature < 0 && expect(forest.cover[node]).toBeGreaterThanOrEqual(20));
    expect(forest.feature.filter((feature) => feature < 0).length).toBeLessThanOrEqual(16);
  });

  it.each([BINARY, { kind: 'classification', classes: 3 } as const, REGRESSION])(
    'are the same for a row of weight 2 as for the row given twice, without bootstrap (%j)',
    (task) => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
          const prng = createPrng(seed);
          const rows = Array.from({ length: 80 }, () => [
            prng.nextInt(30),
            prng.nextGaussian(),
            prng.next() < 0.2 ? NaN : prng.nextInt(4),
          ]);
          const targets = rows.map(() =>
            task.kind === 'regression' ? prng.nextInt(1000) : prng.nextInt(task.classes),
          );
          const weights = Float64Array.from(rows, () => prng.nextInt(4));
          weights[0] = 1;
          const twice = rows.flatMap((row, i) => Array.from({ length: weights[i]! }, () => row));
          const twiceTargets = targets.flatMap((target, i) => Array.from({ length: weights[i]! }, () => target));
          const parameters = parametersOf(task, {
            ...ONE_TREE,
            maxDepth: 4,
            maxFeatures: 0.5,
            minSamplesLeaf: 3,
            seed,
          });
          const x = matrixOf(rows);
          const weighted = fitRandomForest({ x, y: Float64Array.from(targets), weights, task, parameters });
          const repeated = fitRandomForest({
            x: matrixOf(twice),
            y: Float64Array.from(twiceTargets),
            task,
            parameters,
          });
          expect(weighted.feature).toEqual(repeated.feature);
          expect(weighted.threshold).toEqual(repeated.threshold);
          const [a, b] = [predictForest(weighted, x), predictForest(repeated, x)];
          // Sums are taken in another order: only the last digits may differ.
          a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 9));
        }),
        { numRuns: 30 },
      );
    },
  );

  it('give the rare class as much say as the frequent one when classes are balanced', () => {
    const { x, forest } = tree([[1], [1], [1], [1]], [0, 0, 0, 1], BINARY, { classWeight: 'balanced' });
    expect(predictForest(forest, x)[1]).toBeCloseTo(0.5, 12);
  });

  it('are the same with fractional weights in another unit', () => {
    const { x, y } = randomTable(200, 3, 5);
    const weights = Float64Array.from(y, (_, row) => 1 + (row % 5));
    const parameters = parametersOf(BINARY, { ...ONE_TREE, maxDepth: 3 });
    const whole = fitRandomForest({ x, y, weights, task: BINARY, parameters });
    const tenfold = fitRandomForest({ x, y, weights: weights.map((w) => w * 8.5), task: BINARY, parameters });
    expect(tenfold.feature).toEqual(whole.feature);
    predictForest(tenfold, x).forEach((p, i) => expect(p).toBeCloseTo(predictForest(whole, x)[i]!, 9));
  });
});

describe('histogram subtraction', () => {
  it('finds the cuts that counting afresh finds', () => {
    // Fractional weights switch subtraction off; halved weights and halved limits change no comparison.
    const { x, y } = randomTable(4000, 6, 9);
    const targets = y.map((label, row) => label * 8 + (row % 7));
    const parameters = parametersOf(REGRESSION, { ...ONE_TREE, maxDepth: 6, minSamplesSplit: 4, minSamplesLeaf: 2 });
    const subtracted = fitRandomForest({ x, y: targets, task: REGRESSION, parameters });
    const weights = new Float64Array(x.rows).fill(0.5);
    const afresh = fitRandomForest({
      x,
      y: targets,
      weights,
      task: REGRESSION,
      parameters: { ...parameters, minSamplesSplit: 2, minSamplesLeaf: 1 },
    });
    const [a, b] = [predictForest(subtracted, x), predictForest(afresh, x)];
    a.forEach((value, row) => expect(value).toBeCloseTo(b[row]!, 9));
  });
});

describe('out-of-bag predictions', () => {
  const { x, y } = randomTable(400, 4, 7);

  it('come from exactly those trees that did not see the row', () => {
    const parameters = parametersOf(BINARY, { nEstimators: 3, maxDepth: 3 });
    const forest = fitRandomForest({ x, y, task: BINARY, parameters });
    const { predictions, covered } = outOfBagPredictions(forest, x, parameters);
    const share = covered.reduce((sum, flag) => sum + flag, 0) / x.rows;
    // A row is seen by all three trees with a chance of (1 - 1/e)^3 = 0.25; 400 rows have a spread of 0.022.
    expect(Math.abs(share - 0.75)).toBeLessThan(0.09);
    covered.forEach((flag, row) => expect(Number.isNaN(predictions[2 * row])).toBe(flag === 0));
  });

  it('do not praise a forest that learnt noise by heart', () => {
    const prng = createPrng(3);
    const noise = Float64Array.from(y, () => (prng.next() < 0.5 ? 1 : 0));
    const parameters = parametersOf(BINARY, { nEstimators: 60, maxDepth: null });
    const forest = fitRandomForest({ x, y: noise, task: BINARY, parameters });
    const { predictions } = outOfBagPredictions(forest, x, parameters);
    const auc = (p: Float64Array) =>
      evaluateClassification({ probabilities: p, labels: noise, classes: 2, seed: 1 })['roc_auc']!.value!;
    expect(auc(predictForest(forest, x))).toBeGreaterThan(0.99);
    // 400 rows of noise: the AUC's standard error is 0.029.
    expect(Math.abs(auc(predictions) - 0.5)).toBeLessThan(0.1);
  });

  it('cover no row without bootstrap', () => {
    const parameters = parametersOf(BINARY, { bootstrap: false });
    const forest = fitRandomForest({ x, y, task: BINARY, parameters });
    expect(outOfBagPredictions(forest, x, parameters).covered.every((flag) => flag === 0)).toBe(true);
  });
});

describe('against scikit-learn on one generated table', () => {
  const golden = readGolden<ForestGolden>('forest.json');
  const part = (from: number, to: number): FeatureMatrix => {
    const rows = Array.from({ length: to - from }, (_, i) =>
      golden.hundredths
        .slice((from + i) * golden.features, (from + i + 1) * golden.features)
        .map((value) => value / 100),
    );
    return matrixOf(rows);
  };
  const train = part(0, golden.train);
  const test = part(golden.train, golden.rows);
  const slice = (values: number[], from: number, to?: number) => Float64Array.from(values.slice(from, to));

  it('the AUC of a classification forest is within 4 of its standard deviations over seeds', () => {
    // Both are means over random trees; 4 sigma of one fit, plus nothing for the binning, which costs less than that.
    const parameters = parametersOf(BINARY, { nEstimators: 100, maxDepth: 8 });
    const forest = fitRandomForest({ x: train, y: slice(golden.labels, 0, golden.train), task: BINARY, parameters });
    const labels = slice(golden.labels, golden.train);
    const figures = evaluateClassification({ probabilities: predictForest(forest, test), labels, classes: 2, seed: 1 });
    expect(Math.abs(figures['roc_auc']!.value! - golden.auc[0])).toBeLessThan(4 * golden.auc[1]);
  });

  it('the error of a regression forest is within 2 % of it', () => {
    const parameters = parametersOf(REGRESSION, { nEstimators: 100, maxDepth: 8, maxFeatures: 'all' });
    const forest = fitRandomForest({
      x: train,
      y: slice(golden.values, 0, golden.train),
      task: REGRESSION,
      parameters,
    });
    const targets = slice(golden.values, golden.train);
    const figures = evaluateRegression({ predictions: predictForest(forest, test), targets, seed: 1 });
    expect(figures['rmse']!.value! / golden.rmse[0]).toBeGreaterThan(0.98);
    expect(figures['rmse']!.value! / golden.rmse[0]).toBeLessThan(1.02);
  });

  it('the importance of every column is within 0.02 of its', () => {
    // scikit-learn's own importances vary by about 0.006 from seed to seed.
    const parameters = parametersOf(BINARY, { nEstimators: 100, maxDepth: 8 });
    const forest = fitRandomForest({ x: train, y: slice(golden.labels, 0, golden.train), task: BINARY, parameters });
    const importance = forestFeatureImportance(forest);
    golden.importance.forEach((value, column) => expect(Math.abs(importance[column]! - value)).toBeLessThan(0.02));
    expect(importance.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });
});
