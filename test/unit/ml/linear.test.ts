import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dataDir, measureDurations, measureTelco } from '../../../bench/linear-tables.js';
import { buildDesign, fitDesign } from '../../../ml/linear/design.js';
import {
  defaultLinearParameters,
  explainLinearRow,
  fitLinear,
  predictLinear,
  predictLinearRow,
} from '../../../ml/linear/fit-linear.js';
import type { LinearModel, LinearParameters, LinearTask } from '../../../ml/linear/fit-linear.js';
import { answerFromMargins } from '../../../ml/linear/linear-model.js';
import { fitLogistic } from '../../../ml/linear/logistic-regression.js';
import { fitRidge } from '../../../ml/linear/ridge-regression.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';
import { matrixOf, rowOf } from './matrix-of.js';

const BINARY: LinearTask = { kind: 'classification', classes: 2 };
const THREE: LinearTask = { kind: 'classification', classes: 3 };
const REGRESSION: LinearTask = { kind: 'regression' };
const parametersOf = (changes: Partial<LinearParameters> = {}): LinearParameters => ({
  ...defaultLinearParameters(),
  ...changes,
});

interface LogisticCase {
  x: number[][];
  y: number[];
  classes: number;
  strength: number;
  weights: number[];
  balanced: boolean;
  coefficients: number[][];
  intercepts: number[];
  probabilities: number[][];
}
interface RidgeCase {
  x: number[][];
  y: number[];
  strength: number;
  weights: number[];
  coefficients: number[];
  intercept: number;
}
const golden = readGolden<{ logistic: LogisticCase[]; ridge: RidgeCase[] }>('linear.json');

const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
};

describe('a logistic regression', () => {
  // Both stop at a gradient of about 1e-9 of a row's; the loss is flattest in the weakly penalised case, where that is 1e-6.
  it.each(golden.logistic)('has the coefficients scikit-learn finds ($classes classes, strength $strength)', (c) => {
    const parameters = parametersOf({
      strength: c.strength,
      logSkewed: false,
      classWeight: c.balanced ? 'balanced' : 'none',
    });
    const task = { kind: 'classification', classes: c.classes } as const;
    const x = matrixOf(c.x);
    const model = fitLinear({ x, y: Float64Array.from(c.y), weights: Float64Array.from(c.weights), task, parameters });
    expect(largestGap(model.coefficients, c.coefficients.flat())).toBeLessThan(1e-5);
    expect(largestGap(model.intercepts, c.intercepts)).toBeLessThan(1e-5);
    const answers = predictLinear(model, x).slice(0, 20 * c.classes);
    expect(largestGap(answers, c.probabilities.flat())).toBeLessThan(1e-5);
  });

  it('finds the same answer on a design too wide for second derivatives', () => {
    const prng = createPrng(3);
    const rows = 80;
    const width = 257;
    const cells = Float64Array.from({ length: rows * width }, () => prng.nextGaussian());
    const labels = Int32Array.from({ length: rows }, (_, row) => (cells[row]! + prng.nextGaussian() > 0 ? 1 : 0));
    const weights = new Float64Array(rows).fill(1);
    const problem = { cells, rows, labels, classes: 2, weights };
    const wide = fitLogistic({ ...problem, width }, 5);
    // At the minimum the gradient is zero: Σ error × cell = -strength × coefficient, whatever method came there.
    const errors = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      let margin = wide[width]!;
      for (let column = 0; column < width; column++) margin += wide[column]! * cells[column * rows + row]!;
      errors[row] = 1 / (1 + Math.exp(-margin)) - labels[row]!;
    }
    for (let column = 0; column < width; column++) {
      let slope = 5 * wide[column]!;
      for (let row = 0; row < rows; row++) slope += errors[row]! * cells[column * rows + row]!;
      expect(Math.abs(slope)).toBeLessThan(1e-5);
    }
  });

  it('stays finite where a column separates the classes', () => {
    const x = matrixOf(Array.from({ length: 40 }, (_, i) => [i]));
    const y = Float64Array.from({ length: 40 }, (_, i) => (i < 20 ? 0 : 1));
    const answers = predictLinear(fitLinear({ x, y, task: BINARY, parameters: parametersOf() }), x);
    expect(answers.every(Number.isFinite)).toBe(true);
    expect(answers[1]).toBeLessThan(0.1);
    expect(answers[79]).toBeGreaterThan(0.9);
  });

  it('chooses a strong penalty for noise and a weak one for a clear signal', () => {
    const prng = createPrng(8);
    const rows = Array.from({ length: 200 }, () => Array.from({ length: 8 }, () => prng.nextGaussian()));
    const noise = Float64Array.from(rows, () => prng.nextInt(2));
    const signal = Float64Array.from(rows, (row) => (row[0]! + row[1]! + 0.3 * prng.nextGaussian() > 0 ? 1 : 0));
    const strengthOf = (y: Float64Array): number =>
      fitLinear({ x: matrixOf(rows), y, task: BINARY, parameters: parametersOf() }).strength;
    expect(strengthOf(noise)).toBeGreaterThanOrEqual(20);
    expect(strengthOf(signal)).toBeLessThanOrEqual(2);
  });
});

describe('a ridge regression', () => {
  // Both solve the same normal equations; two collinear columns leave them a condition number of about 1e5.
  it.each(golden.ridge)('has the coefficients scikit-learn finds (strength $strength)', (c) => {
    const input = { x: matrixOf(c.x), y: Float64Array.from(c.y), weights: Float64Array.from(c.weights) };
    const parameters = parametersOf({ strength: c.strength, logSkewed: false });
    const model = fitLinear({ ...input, task: REGRESSION, parameters });
    expect(largestGap(model.coefficients, c.coefficients)).toBeLessThan(1e-8);
    expect(Math.abs(model.intercepts[0]! - c.intercept)).toBeLessThan(1e-8);
  });

  it('chooses the penalty that leaving out each row and fitting again would choose', () => {
    const prng = createPrng(4);
    const rows = 40;
    const width = 6;
    const cells = Float64Array.from({ length: rows * width }, () => prng.nextGaussian());
    const targets = Float64Array.from({ length: rows }, (_, row) => cells[row]! + 2 * prng.nextGaussian());
    const problemOf = (keep: (row: number) => boolean) => {
      const kept = Array.from({ length: rows }, (_, row) => row).filter(keep);
      const part = new Float64Array(kept.length * width);
      for (let column = 0; column < width; column++)
        kept.forEach((row, i) => (part[column * kept.length + i] = cells[column * rows + row]!));
      const means = Array.from({ length: width }, (_, column) =>
        kept.reduce((sum, _row, i) => sum + part[column * kept.length + i]! / kept.length, 0),
      );
      const y = Float64Array.from(kept, (row) => targets[row]!);
      return {
        cells: part,
        rows: kept.length,
        width,
        targets: y,
        weights: new Float64Array(kept.length).fill(1),
        means,
      };
    };
    const errorAt = (strength: number): number => {
      let error = 0;
      for (let left = 0; left < rows; left++) {
        const fit = fitRidge(
          problemOf((row) => row !== left),
          strength,
        );
        let predicted = fit.intercept;
        for (let column = 0; column < width; column++)
          predicted += fit.coefficients[column]! * cells[column * rows + left]!;
        error += (targets[left]! - predicted) ** 2;
      }
      return error;
    };
    const chosen = fitRidge(
      problemOf(() => true),
      'cv',
    ).strength;
    for (const other of [chosen / 2.5, chosen * 2.5]) expect(errorAt(chosen)).toBeLessThan(errorAt(other));
  });

  it('is right on average on logarithms where it says mean, and in the middle where it says median', () => {
    const prng = createPrng(9);
    const rows = Array.from({ length: 2000 }, () => [prng.nextGaussian()]);
    const y = Float64Array.from(rows, (row) => Math.exp(1 + 0.5 * row[0]! + prng.nextGaussian()));
    const x = matrixOf(rows);
    const answers = (logTarget: 'mean' | 'median'): Float64Array =>
      predictLinear(fitLinear({ x, y, task: REGRESSION, parameters: parametersOf({ logTarget }) }), x);
    const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
    // The mean of 2,000 lognormal values with a log variance of 1.25 has a standard error of 3.5 %.
    expect(sum(answers('mean')) / sum(y)).toBeCloseTo(1, 1);
    const below = answers('median').reduce((count, value, row) => count + (y[row]! < value ? 1 : 0), 0);
    expect(below / 2000).toBeGreaterThan(0.47);
    expect(below / 2000).toBeLessThan(0.53);
  });

  it('takes targets of zero on logarithms and refuses those below', () => {
    const x = matrixOf([[1], [2], [3]]);
    const parameters = parametersOf({ logTarget: 'median' });
    const model = fitLinear({ x, y: Float64Array.of(0, 1, 2), task: REGRESSION, parameters });
    expect(predictLinear(model, x).every((value) => value >= 0)).toBe(true);
    expect(() => fitLinear({ x, y: Float64Array.of(0, -1, 2), task: REGRESSION, parameters })).toThrow(
      /target of row 1 is -1 but must be 0 or more for logarithms/,
    );
  });
});

describe('the design', () => {
  const ones = (n: number): Float64Array => new Float64Array(n).fill(1);

  it('standardises numbers, marks missing ones and takes values beyond the training rows as their ends', () => {
    const x = matrixOf([[1], [3], [NaN], [5]]);
    const design = fitDesign(x, ones(4));
    const scale = Math.sqrt(8 / 3);
    expect([...buildDesign(design, x)]).toEqual([-2 / scale, 0, 0, 2 / scale, 0, 0, 1, 0]);
    expect([...buildDesign(design, matrixOf([[100], [-Infinity]]))]).toEqual([2 / scale, -2 / scale, 0, 0]);
  });

  it('takes logarithms of skewed amounts only', () => {
    const amounts = matrixOf([1, 2, 3, 5, 8, 13, 1000].map((value) => [value, -value, value % 3]));
    const isLog = fitDesign(amounts, ones(7)).features.map((feature) => feature.kind === 'number' && feature.isLog);
    expect(isLog).toEqual([true, false, false]);
  });

  it('spreads categories out, pools rare ones and gives unknown ones all zeros', () => {
    const codes = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 4];
    const x = matrixOf(codes.map((code) => [code]));
    const design = fitDesign(x, ones(codes.length), { categorical: [0] });
    const of = (code: number): number[] => [...buildDesign(design, matrixOf([[code]]))];
    expect([0, 1, 2, 3, 4, 9, NaN].map(of)).toEqual([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 1],
      [0, 0, 1],
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it('gives missing categories a column where enough rows lack them', () => {
    const x = matrixOf([0, 0, 0, 0, 0, NaN, NaN, NaN, NaN, NaN].map((code) => [code]));
    const design = fitDesign(x, ones(10), { categorical: [0] });
    expect(design.width).toBe(2);
    expect([...buildDesign(design, matrixOf([[NaN]]))]).toEqual([0, 1]);
  });

  it('refuses codes that are none', () => {
    expect(() => fitDesign(matrixOf([[0.5]]), ones(1), { categorical: [0] })).toThrow(/column 0 has 0.5 in row 0/);
    expect(() => fitDesign(matrixOf([[0]]), ones(1), { categorical: [1] })).toThrow(/one of the matrix's 1 columns/);
  });
});

const cell = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, -1, NaN) },
  { weight: 1, arbitrary: fc.constantFrom(Infinity, -Infinity, 1e308, -1e308, 5e-324) },
);
const table = fc.tuple(fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 4 })).chain(([rows, columns]) =>
  fc.record({
    rows: fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
    codes: fc.array(fc.constantFrom(0, 1, 2, NaN), { minLength: rows, maxLength: rows }),
    labels: fc.array(fc.nat(2), { minLength: rows, maxLength: rows }),
  }),
);

describe('every linear model', () => {
  const fitOn = (data: { rows: number[][]; codes: number[]; labels: number[] }, task: LinearTask) => {
    const x = matrixOf(data.rows.map((row, i) => [...row, data.codes[i]!]));
    const limit = task.kind === 'classification' ? task.classes : 3;
    const y = Float64Array.from(data.labels, (label) => label % limit);
    const model = fitLinear({ x, y, task, categorical: [x.columns - 1], parameters: parametersOf() });
    return { x, model };
  };

  it.each([BINARY, THREE, REGRESSION, { kind: 'classification', classes: 1 } as const])(
    'answers with finite numbers, row by row as in a table and after JSON, and explains them in full (%j)',
    (task) => {
      fc.assert(
        fc.property(table, (data) => {
          const { x, model } = fitOn(data, task);
          const restored = JSON.parse(JSON.stringify(model)) as LinearModel;
          expect(restored).toEqual(model);
          const all = predictLinear(model, x);
          const out = new Float64Array(model.outputs);
          for (let row = 0; row < x.rows; row++) {
            predictLinearRow(restored, rowOf(x, row), out);
            expect([...out]).toEqual([...all.subarray(row * model.outputs, (row + 1) * model.outputs)]);
            expect(out.every(Number.isFinite)).toBe(true);
            if (task.kind === 'classification') expect(out.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
            const { base, contributions } = explainLinearRow(model, rowOf(x, row));
            const margins = base.map((value, m) =>
              contributions.subarray(m * x.columns, (m + 1) * x.columns).reduce((sum, part) => sum + part, value),
            );
            const explained = new Float64Array(model.outputs);
            answerFromMargins(model, margins, explained);
            // Sums of up to a dozen terms in another order: a few last digits of the margins.
            expect(largestGap(explained, out)).toBeLessThan(1e-9);
          }
        }),
        { numRuns: 60 },
      );
    },
  );

  it('is refused with the name of a parameter out of range', () => {
    const input = { x: matrixOf([[1], [2]]), y: Float64Array.of(0, 1), task: BINARY };
    expect(() => fitLinear({ ...input, parameters: parametersOf({ strength: 0 }) })).toThrow(/strength is 0/);
    expect(() => fitLinear({ ...input, parameters: parametersOf({ seed: 0.5 }) })).toThrow(/seed is 0.5/);
    expect(() => fitLinear({ ...input, y: Float64Array.of(0, 2), parameters: parametersOf() })).toThrow(
      /target of row 1 is 2 but must be a class number from 0 to 1/,
    );
    const model = fitLinear({ ...input, parameters: parametersOf() });
    expect(() => predictLinear(model, matrixOf([[1, 2]]))).toThrow(/fitted on 1 columns but the matrix has 2/);
  });

  it('gives a class that no row has no more than the chance of one row more', () => {
    const x = matrixOf(Array.from({ length: 30 }, (_, i) => [i % 7]));
    const y = Float64Array.from({ length: 30 }, (_, i) => (i % 7 > 3 ? 2 : 0));
    const answers = predictLinear(fitLinear({ x, y, task: THREE, parameters: parametersOf() }), x);
    for (let row = 0; row < 30; row++) expect(answers[3 * row + 1]).toBeLessThan(1 / 30);
    const single = fitLinear({ x, y: new Float64Array(30).fill(1), task: BINARY, parameters: parametersOf() });
    expect(predictLinear(single, x)[1]).toBeCloseTo(31 / 32, 12);
  });
});

describe.skipIf(!existsSync(dataDir))(`on real tables (in ${dataDir}; skipped where it is absent)`, () => {
  it('tells leaving customers apart as well as the best usual library', () => {
    for (const { figure, ours, peer } of measureTelco()) {
      const isBetter = ['roc_auc', 'accuracy'].includes(figure) ? ours >= peer - 0.0005 : ours <= peer + 0.0005;
      expect(isBetter, `${figure} ${ours}, peer ${peer}`).toBe(true);
    }
  });

  it('predicts durations of projects as well as the best usual library', () => {
    for (const { set, ours, peer } of measureDurations()) expect(ours, set).toBeLessThanOrEqual(1.005 * peer);
  });
});
