import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureMatrix } from '../../ml/matrix.js';
import { createPrng, shuffle } from '../../ml/random/prng.js';

/** What an estimator of tables is fitted on. */
export interface Training {
  x: FeatureMatrix;
  y: Float64Array;
  weights?: Float64Array;
}

/**
 * How much a change that carries no information may change answers: `answers` none of them by more than the tolerance, `skill` the
 * mean loss on new rows by no more than this part of it (for estimators whose random draws go by position).
 */
export type Invariance = { of: 'answers' | 'skill'; tolerance: number };

/** One estimator with its parameters set, as the contract sees it. */
export interface EstimatorAdapter<Model> {
  name: string;
  task: { kind: 'classification'; classes: number } | { kind: 'regression' };
  fit: (training: Training) => Model;
  /** `[row * outputs + output]` */
  predict: (model: Model, x: FeatureMatrix) => Float64Array;
  predictRow: (model: Model, row: Float64Array, out: Float64Array) => void;
  /** Where there is a format: through it and back. */
  saveAndLoad?: (model: Model) => Model;
  rowOrder: Invariance;
  columnOrder: Invariance;
  /** A weight of 2 is the row given twice, a weight of 0 the row left out. */
  weights: Invariance;
  /** Farthest the only class's probability may be from 1, and the only value from itself, after `rows` rows. */
  certainty: (rows: number) => number;
  /** Largest part of the base rate's loss that may be left on an easy table. */
  easyLoss: number;
}

const RUNS = { numRuns: 25 };

/** Holds an estimator to what every estimator of this service promises. */
export function holdEstimator<Model>(estimator: EstimatorAdapter<Model>): void {
  const { task } = estimator;
  const outputs = task.kind === 'classification' ? task.classes : 1;
  const answersOf = (training: Training, x: FeatureMatrix = training.x): Float64Array =>
    estimator.predict(estimator.fit(training), x);
  const tables = tableOf(task.kind === 'classification' ? task.classes : undefined);
  const easy = easyTable(estimator, 320, 1);
  const fresh = easyTable(estimator, 300, 2);
  const lossOf = (answers: Float64Array): number => meanLoss(estimator, answers, fresh.y);

  /** Fits on two forms of the same information and compares what they answer. */
  const expectSame = (
    allowed: Invariance,
    change: (training: Training) => [Training, (x: FeatureMatrix) => FeatureMatrix],
  ) => {
    if (allowed.of === 'skill') {
      const [changed, view] = change(easy);
      const before = lossOf(answersOf(easy, fresh.x));
      const after = lossOf(answersOf(changed, view(fresh.x)));
      expect(Math.abs(after - before) / before).toBeLessThan(allowed.tolerance);
      return;
    }
    fc.assert(
      fc.property(tables, (training) => {
        const [changed, view] = change(training);
        expect(gap(answersOf(training), answersOf(changed, view(training.x)))).toBeLessThanOrEqual(allowed.tolerance);
      }),
      RUNS,
    );
  };

  describe(`the estimator ${estimator.name}`, () => {
    it('gives the same answers to the bit when fitted twice, and leaves its input as it was', () => {
      fc.assert(
        fc.property(tables, (training) => {
          const before = structuredClone(training);
          const first = answersOf(training);
          expect(training).toEqual(before);
          expect(answersOf(training)).toEqual(first);
        }),
        RUNS,
      );
    });

    it('answers a row alone as among others, and after it was saved and loaded, to the bit', () => {
      fc.assert(
        fc.property(tables, (training) => {
          const model = estimator.fit(training);
          const all = estimator.predict(model, training.x);
          const out = new Float64Array(outputs);
          for (const used of [model, estimator.saveAndLoad?.(model) ?? model]) {
            for (let row = 0; row < training.x.rows; row++) {
              estimator.predictRow(used, rowOf(training.x, row), out);
              expect([...out]).toEqual([...all.subarray(row * outputs, (row + 1) * outputs)]);
            }
          }
        }),
        RUNS,
      );
    });

    it('answers with finite numbers, and probabilities that sum to 1, whatever is missing, infinite or constant', () => {
      expect.hasAssertions();
      fc.assert(
        fc.property(tables, strangeCells, (training, cells) => {
          const strange = { ...training.x, values: training.x.values.map((_, i) => cells[i % cells.length]!) };
          const model = estimator.fit({ ...training, x: strange });
          for (const x of [strange, training.x]) expectAnswers(estimator.predict(model, x), outputs, task.kind);
          expectAnswers(estimator.predict(estimator.fit(training), strange), outputs, task.kind);
        }),
        RUNS,
      );
    });

    it('learns nothing from a constant column or one that is always missing', () => {
      expect.hasAssertions();
      for (const value of [0, 7.5, NaN]) {
        expectSame(estimator.columnOrder, (training) => [
          { ...training, x: withColumn(training.x, value) },
          (x) => withColumn(x, value),
        ]);
      }
    });

    it('does not depend on the order of the rows', () => {
      expect.hasAssertions();
      expectSame(estimator.rowOrder, (training) => {
        const order = shuffle(
          Array.from({ length: training.x.rows }, (_, row) => row),
          createPrng(5),
        );
        return [takeRows(training, order), (x) => x];
      });
    });

    it('does not depend on the order of the columns', () => {
      expect.hasAssertions();
      expectSame(estimator.columnOrder, (training) => {
        const order = shuffle(
          Array.from({ length: training.x.columns }, (_, column) => column),
          createPrng(6),
        );
        return [{ ...training, x: takeColumns(training.x, order) }, (x) => takeColumns(x, order)];
      });
    });

    it('takes a weight of 2 as the row given twice and a weight of 0 as the row left out', () => {
      const allowed = estimator.weights;
      const countOf = (row: number): number => [1, 2, 0, 3, 1][row % 5]!;
      const repeat = (training: Training): number[] =>
        Array.from({ length: training.x.rows }, (_, row) => Array<number>(countOf(row)).fill(row)).flat();
      const weigh = (training: Training): Float64Array => Float64Array.from(training.y, (_, row) => countOf(row));
      if (allowed.of === 'skill') {
        const weighted = lossOf(answersOf({ ...easy, weights: weigh(easy) }, fresh.x));
        const repeated = lossOf(answersOf(takeRows(easy, repeat(easy)), fresh.x));
        expect(Math.abs(weighted - repeated) / repeated).toBeLessThan(allowed.tolerance);
        return;
      }
      fc.assert(
        fc.property(tables, (training) => {
          const weighted = answersOf({ ...training, weights: weigh(training) });
          const repeated = answersOf(takeRows(training, repeat(training)), training.x);
          expect(gap(weighted, repeated)).toBeLessThanOrEqual(allowed.tolerance);
        }),
        RUNS,
      );
    });

    it('answers with the only class or value there is, be it in many rows or in one', () => {
      fc.assert(
        fc.property(tables, (training) => {
          const only = training.y[0]!;
          for (const part of [takeRows(training, [0]), { ...training, y: training.y.map(() => only) }]) {
            const answers = answersOf(part);
            const stated = task.kind === 'classification' ? answers.filter((_, i) => i % outputs === only) : answers;
            const wanted = task.kind === 'classification' ? 1 : only;
            for (const value of stated)
              expect(Math.abs(value - wanted)).toBeLessThanOrEqual(estimator.certainty(part.x.rows));
          }
        }),
        RUNS,
      );
    });

    it('learns what there is to learn', () => {
      const base =
        task.kind === 'regression'
          ? new Float64Array(fresh.y.length).fill(easy.y.reduce((sum, value) => sum + value / easy.y.length, 0))
          : new Float64Array(fresh.y.length * outputs).fill(1 / outputs);
      expect(lossOf(answersOf(easy, fresh.x)) / lossOf(base)).toBeLessThan(estimator.easyLoss);
    });

    it('refuses what does not fit with a RangeError', () => {
      const { x, y } = easy;
      const model = estimator.fit(easy);
      expect(() => estimator.predict(model, withColumn(x, 1))).toThrow(RangeError);
      expect(() => estimator.fit({ x, y: y.slice(1) })).toThrow(RangeError);
      expect(() => estimator.fit({ x, y, weights: new Float64Array(x.rows) })).toThrow(RangeError);
      expect(() => estimator.fit({ x, y, weights: new Float64Array(x.rows).fill(-1) })).toThrow(RangeError);
      expect(() => estimator.fit({ x, y: y.map(() => NaN) })).toThrow(RangeError);
      expect(() => estimator.fit(takeRows(easy, []))).toThrow(RangeError);
    });
  });
}

/** Small tables with ties, missing values and a constant column now and then. Whole targets, so that sums are exact. */
function tableOf(classes: number | undefined): fc.Arbitrary<Training> {
  const cell = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: -20, max: 20 }) },
    { weight: 3, arbitrary: fc.double({ min: -10, max: 10, noNaN: true }) },
    { weight: 1, arbitrary: fc.constant(NaN) },
  );
  const target = classes === undefined ? fc.integer({ min: -30, max: 30 }) : fc.nat(classes - 1);
  return fc
    .tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4 }))
    .chain(([rows, columns]) =>
      fc
        .tuple(
          fc.array(cell, { minLength: rows * columns, maxLength: rows * columns }),
          fc.array(target, { minLength: rows, maxLength: rows }),
        )
        .map(([values, y]) => ({ x: { rows, columns, values: Float64Array.from(values) }, y: Float64Array.from(y) })),
    );
}

const strangeCells = fc.array(fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1, 1e308, -1e308, 5e-324), {
  minLength: 1,
  maxLength: 7,
});

/** A table whose first two columns say nearly everything, with a little missing. */
function easyTable<Model>({ task }: EstimatorAdapter<Model>, rows: number, seed: number): Training {
  const prng = createPrng(seed, 0x65617379);
  const columns = 4;
  const values = Float64Array.from({ length: rows * columns }, () => prng.nextGaussian());
  const y = Float64Array.from({ length: rows }, (_, row) => {
    const z = 2 * values[row]! + values[rows + row]! + 0.3 * prng.nextGaussian();
    if (task.kind === 'regression') return z;
    return Math.max(0, Math.min(task.classes - 1, Math.floor(z / 1.5 + task.classes / 2)));
  });
  for (let row = 0; row < rows; row += 40) values[row] = NaN;
  return { x: { rows, columns, values }, y };
}

function meanLoss<Model>({ task }: EstimatorAdapter<Model>, answers: Float64Array, y: Float64Array): number {
  const lossOf = (target: number, row: number): number =>
    task.kind === 'regression'
      ? (answers[row]! - target) ** 2
      : -Math.log(Math.max(0.01, answers[row * task.classes + target]!));
  return y.reduce((sum, target, row) => sum + lossOf(target, row) / y.length, 0);
}

function expectAnswers(answers: Float64Array, outputs: number, kind: string): void {
  expect(answers.every(Number.isFinite)).toBe(true);
  if (kind === 'regression') return;
  for (let at = 0; at < answers.length; at += outputs) {
    const probabilities = answers.subarray(at, at + outputs);
    expect(probabilities.every((p) => p >= 0 && p <= 1)).toBe(true);
    expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
  }
}

function gap(a: Float64Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

function rowOf(x: FeatureMatrix, row: number): Float64Array {
  return Float64Array.from({ length: x.columns }, (_, column) => x.values[column * x.rows + row]!);
}

function takeRows({ x, y }: Training, rows: readonly number[]): Training {
  const values = new Float64Array(rows.length * x.columns);
  for (let column = 0; column < x.columns; column++) {
    rows.forEach((row, i) => (values[column * rows.length + i] = x.values[column * x.rows + row]!));
  }
  return { x: { rows: rows.length, columns: x.columns, values }, y: Float64Array.from(rows, (row) => y[row]!) };
}

function takeColumns(x: FeatureMatrix, columns: readonly number[]): FeatureMatrix {
  const values = new Float64Array(x.rows * columns.length);
  columns.forEach((column, i) => values.set(x.values.subarray(column * x.rows, (column + 1) * x.rows), i * x.rows));
  return { rows: x.rows, columns: columns.length, values };
}

function withColumn(x: FeatureMatrix, value: number): FeatureMatrix {
  const values = new Float64Array(x.values.length + x.rows).fill(value);
  values.set(x.values);
  return { rows: x.rows, columns: x.columns + 1, values };
}
