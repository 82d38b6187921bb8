import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { marginCount, meanLoss } from '../../../ml/ensemble/boosting-loss.js';
import {
  boostingFeatureImportance,
  boostingRawRow,
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
  predictBoostingRow,
  roundCount,
} from '../../../ml/ensemble/gradient-boosting.js';
import type {
  BoostingLoss,
  GradientBoosting,
  GradientBoostingInput,
  GradientBoostingParameters,
} from '../../../ml/ensemble/gradient-boosting.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';
import { matrixOf, rowOf } from './matrix-of.js';

interface GoldenCase {
  name: string;
  x: (number | null)[][];
  y: number[];
  loss: BoostingLoss;
  rounds: number;
  same: boolean;
  weights: number[] | null;
  categorical: number[];
  monotone: number[] | null;
  changes: Partial<GradientBoostingParameters>;
  raw: number[];
}

const golden = readGolden<{ shared: Partial<GradientBoostingParameters>; cases: GoldenCase[] }>('boosting.json');

const LOSSES: BoostingLoss[] = [
  { kind: 'logistic' },
  { kind: 'softmax', classes: 3 },
  { kind: 'squared' },
  { kind: 'quantile', alpha: 0.7 },
  { kind: 'poisson' },
];

function margins(model: GradientBoosting, x: FeatureMatrix): Float64Array {
  const count = marginCount(model.loss);
  const raw = new Float64Array(x.rows * count);
  for (let row = 0; row < x.rows; row++) boostingRawRow(model, rowOf(x, row), raw.subarray(row * count));
  return raw;
}

/** A table with a signal that every loss can learn: numbers, missing values, codes in the third column. */
function table(rows: number, seed = 1): { x: FeatureMatrix; y: (loss: BoostingLoss) => Float64Array } {
  const prng = createPrng(seed);
  const cells = Array.from({ length: rows }, () => [
    prng.nextGaussian(),
    prng.next() < 0.2 ? NaN : prng.nextGaussian(),
    prng.nextInt(9),
    prng.nextInt(4),
  ]);
  const signal = cells.map(([a, b, code]) => a! + (b! > 0 ? 1 : Number.isNaN(b!) ? 2 : -1) + ((code! * 5) % 7) / 3);
  const noise = cells.map(() => prng.nextGaussian() / 2);
  const y = (loss: BoostingLoss): Float64Array =>
    Float64Array.from(signal, (z, row) => {
      const value = z + noise[row]!;
      switch (loss.kind) {
        case 'logistic':
          return value > 1 ? 1 : 0;
        case 'softmax':
          return value > 2 ? 2 : value > 0 ? 1 : 0;
        case 'poisson':
          // Not rounded: whole counts let different splits gain the same but for the last digit.
          return Math.exp(value / 3);
        default:
          return value;
      }
    });
  return { x: matrixOf(cells), y };
}

function input(
  loss: BoostingLoss,
  rows: number,
  changes: Partial<GradientBoostingParameters> = {},
): GradientBoostingInput {
  const { x, y } = table(rows);
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 12, minSamplesLeaf: 5, ...changes };
  return { x, y: y(loss), loss, parameters, categorical: [2] };
}

function takeRows(x: FeatureMatrix, order: readonly number[]): FeatureMatrix {
  return matrixOf(order.map((row) => [...rowOf(x, row)]));
}

describe('against LightGBM', () => {
  it.each(golden.cases)('$name: the same trees, or a loss within 1 %', (golden_) => {
    const { loss, monotone, weights } = golden_;
    const x = matrixOf(golden_.x.map((row) => row.map((value) => value ?? NaN)));
    const y = Float64Array.from(golden_.y);
    const own = weights ? Float64Array.from(weights) : undefined;
    const model = fitGradientBoosting({
      x,
      y,
      weights: own,
      categorical: golden_.categorical,
      monotone: monotone ? Int8Array.from(monotone) : undefined,
      loss,
      parameters: {
        ...defaultGradientBoostingParameters(loss),
        ...golden.shared,
        ...golden_.changes,
        nEstimators: golden_.rounds,
      },
    });
    const raw = margins(model, x);
    const theirs = Float64Array.from(golden_.raw);
    // Both round derivatives to 24 bits or more, and the file has 7 decimals.
    if (golden_.same) raw.forEach((value, at) => expect(Math.abs(value - theirs[at]!)).toBeLessThan(1e-6));
    const [mine, their] = [meanLoss(loss, y, raw, own), meanLoss(loss, y, theirs, own)];
    expect(mine).toBeLessThan(their * 1.01);
  });
});

describe('every loss', () => {
  it.each(LOSSES)('falls from round to round and beats the base ($kind)', (loss) => {
    const given = input(loss, 600);
    const model = fitGradientBoosting(given);
    const { train } = model.history;
    expect(train).toHaveLength(12);
    for (let round = 1; round < 12; round++) expect(train[round]!).toBeLessThan(train[round - 1]! + 1e-9);
    const base = Float64Array.from(
      { length: given.x.rows * marginCount(loss) },
      (_, at) => model.baseMargins[at % marginCount(loss)]!,
    );
    expect(train[11]!).toBeLessThan(0.8 * meanLoss(loss, given.y, base, undefined));
    expect(meanLoss(loss, given.y, margins(model, given.x), undefined)).toBeCloseTo(train[11]!, 12);
  });

  it.each(LOSSES)('predicts a row as it predicts a matrix, to the bit ($kind)', (loss) => {
    const given = input(loss, 200);
    const model = fitGradientBoosting(given);
    const all = predictBoosting(model, given.x);
    const outputs = all.length / given.x.rows;
    const out = new Float64Array(outputs);
    for (let row = 0; row < given.x.rows; row++) {
      predictBoostingRow(model, rowOf(given.x, row), out);
      expect(out).toEqual(all.slice(row * outputs, (row + 1) * outputs));
      if (outputs > 1) expect(out.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    }
  });

  it.each(LOSSES)('resumed halfway, the same model comes out as without a break ($kind)', (loss) => {
    const changes = { rowSubsample: 0.7, columnSubsample: 0.6 };
    let half: GradientBoosting | undefined;
    const given = input(loss, 300, changes);
    const whole = fitGradientBoosting({
      ...given,
      onRound: ({ done, partial }) => void (done === 5 && (half = partial())),
    });
    expect(roundCount(half!)).toBe(5);
    expect(fitGradientBoosting({ ...given, resumeFrom: half })).toEqual(whole);
  });

  it.each(LOSSES)('a row given twice counts as much as a weight of 2 ($kind)', (loss) => {
    const given = input(loss, 160, { maxBins: 255 });
    const weights = Float64Array.from(given.y, (_, row) => (row % 3) + (row % 7 === 0 ? 0 : 1));
    const order = [...given.y.keys()].flatMap((row) => Array.from({ length: weights[row]! }, () => row));
    const repeated = { ...given, x: takeRows(given.x, order), y: Float64Array.from(order, (row) => given.y[row]!) };
    const [a, b] = [fitGradientBoosting({ ...given, weights }), fitGradientBoosting(repeated)];
    // The units of the derivatives differ by the largest weight, nothing else.
    margins(a, given.x).forEach((value, at) => expect(value).toBeCloseTo(margins(b, given.x)[at]!, 6));
  });

  it.each(LOSSES)('weights of a half say the same as weights of 1 ($kind)', (loss) => {
    // Categories are shrunken by a fixed weight, so they are left out.
    const given = { ...input(loss, 200, { minChildHessian: 0 }), categorical: [] };
    const [a, b] = [0.5, 1].map((weight) =>
      fitGradientBoosting({ ...given, weights: new Float64Array(200).fill(weight) }),
    );
    margins(a!, given.x).forEach((value, at) => expect(value).toBeCloseTo(margins(b!, given.x)[at]!, 6));
  });
});

describe('a boosted model', () => {
  it('does not depend on the order of the rows', () => {
    const given = input({ kind: 'logistic' }, 300);
    const order = [...given.y.keys()].sort((a, b) => ((a * 77) % 300) - ((b * 77) % 300));
    const shuffled = { ...given, x: takeRows(given.x, order), y: Float64Array.from(order, (row) => given.y[row]!) };
    const [a, b] = [fitGradientBoosting(given), fitGradientBoosting(shuffled)];
    // The base is summed in doubles and so depends on the order in its last bits.
    margins(a, given.x).forEach((value, at) => expect(value).toBeCloseTo(margins(b, given.x)[at]!, 6));
  });

  it('does not depend on the order of the columns', () => {
    const prng = createPrng(3);
    const rows = Array.from({ length: 400 }, () => [prng.nextGaussian(), prng.nextGaussian(), prng.nextGaussian()]);
    const y = Float64Array.from(rows, ([a, b, c]) => a! * b! + c!);
    const loss = { kind: 'squared' } as const;
    const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 10 };
    const fit = (x: FeatureMatrix) => predictBoosting(fitGradientBoosting({ x, y, loss, parameters }), x);
    expect(fit(matrixOf(rows.map(([a, b, c]) => [c!, a!, b!])))).toEqual(fit(matrixOf(rows)));
  });

  it('is the same for a seed, and another for another seed where rows are drawn', () => {
    const given = input({ kind: 'squared' }, 300, { rowSubsample: 0.5 });
    const other = { ...given, parameters: { ...given.parameters, seed: 9 } };
    expect(fitGradientBoosting(given)).toEqual(fitGradientBoosting(given));
    expect(fitGradientBoosting(other).value).not.toEqual(fitGradientBoosting(given).value);
  });

  it('keeps the directions it is told to keep, whatever else a row has', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom('squared', 'logistic', 'quantile'), (seed, kind) => {
        const prng = createPrng(seed);
        const rows = Array.from({ length: 150 }, () => [prng.nextGaussian(), prng.nextGaussian(), prng.nextInt(5)]);
        const y = Float64Array.from(rows, ([a, b, c]) => {
          const z = Math.sin(3 * a!) + a! / 2 - b! * c! + prng.nextGaussian();
          return kind === 'logistic' ? +(z > 0) : z;
        });
        const loss: BoostingLoss = kind === 'quantile' ? { kind, alpha: 0.3 } : { kind };
        const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 15, minSamplesLeaf: 3 };
        const monotone = Int8Array.of(1, -1, 0);
        const model = fitGradientBoosting({ x: matrixOf(rows), y, loss, parameters, monotone, categorical: [2] });
        const out = new Float64Array(1);
        const at = (row: number[]): number => {
          boostingRawRow(model, Float64Array.from(row), out);
          return out[0]!;
        };
        for (const [, b, c] of rows.slice(0, 10)) {
          for (let a = -2; a < 2; a += 0.1) expect(at([a + 0.1, b!, c!])).toBeGreaterThanOrEqual(at([a, b!, c!]));
          for (let z = -2; z < 2; z += 0.1) expect(at([0, z + 0.1, c!])).toBeLessThanOrEqual(at([0, z, c!]));
        }
      }),
      { numRuns: 12, seed: 4 },
    );
  });

  it('ends early and keeps the best rounds', () => {
    const loss = { kind: 'logistic' } as const;
    const given = input(loss, 300, { nEstimators: 300, earlyStoppingRounds: 10, learningRate: 0.3 });
    const held = table(200, 2);
    let done = 0;
    const validation = { x: held.x, y: held.y(loss) };
    const model = fitGradientBoosting({ ...given, validation, onRound: (progress) => (done = progress.done) });
    const kept = roundCount(model);
    expect(done).toBe(kept + 10);
    expect(kept).toBeLessThan(200);
    const { validation: losses } = model.history;
    expect(losses).toHaveLength(kept);
    expect(Math.min(...losses)).toBe(losses[kept - 1]);
    expect(meanLoss(loss, validation.y, margins(model, held.x), undefined)).toBeCloseTo(losses[kept - 1]!, 12);
  });

  it('keeps to its leaves, depth and rows a leaf', () => {
    const model = fitGradientBoosting(
      input({ kind: 'squared' }, 400, { maxLeaves: 9, maxDepth: 4, minSamplesLeaf: 17 }),
    );
    for (let tree = 0; tree < model.treeOffsets.length - 1; tree++) {
      const [start, end] = [model.treeOffsets[tree]!, model.treeOffsets[tree + 1]!];
      expect(end - start).toBeLessThanOrEqual(17);
      const depth = new Map([[start, 0]]);
      for (let node = start; node < end; node++) {
        expect(model.cover[node]!).toBeGreaterThanOrEqual(17);
        if (model.left[node]! < 0) continue;
        expect(depth.get(node)!).toBeLessThan(4);
        for (const child of [model.left[node]!, model.left[node]! + 1]) depth.set(child, depth.get(node)! + 1);
      }
    }
  });

  it('sends codes that training never saw to where missing values go', () => {
    const model = fitGradientBoosting(input({ kind: 'squared' }, 500));
    const out = [new Float64Array(1), new Float64Array(1)];
    for (const unseen of [9, 200, 253, 254, 1e9, -1, 0.5, Infinity]) {
      boostingRawRow(model, Float64Array.of(0, 0, unseen, 0), out[0]!);
      boostingRawRow(model, Float64Array.of(0, 0, NaN, 0), out[1]!);
      expect(out[0]).toEqual(out[1]);
    }
  });

  it('gives each class the same weight where told to balance them', () => {
    const given = input({ kind: 'logistic' }, 400, { classWeight: 'balanced' });
    const y = Float64Array.from(given.y, (_, row) => (row % 20 === 0 ? 1 : 0));
    expect(fitGradientBoosting({ ...given, y }).baseMargins[0]).toBeCloseTo(0, 12);
  });

  it('divides all importance among the columns that it splits on', () => {
    const given = input({ kind: 'squared' }, 400);
    const constant = matrixOf(Array.from({ length: 400 }, (_, row) => [...rowOf(given.x, row), 7]));
    const importance = boostingFeatureImportance(fitGradientBoosting({ ...given, x: constant }));
    expect(importance.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(importance[4]).toBe(0);
    expect(importance[0]!).toBeGreaterThan(importance[3]!);
  });

  it('counts anew what it has no room to keep, and grows the same trees', () => {
    // 300 columns of 255 bins are 1.2 MB a leaf, so that 256 MiB hold 219 of 400 leaves.
    const prng = createPrng(8);
    const x = { rows: 1500, columns: 300, values: Float64Array.from({ length: 450_000 }, () => prng.next()) };
    const y = Float64Array.from(
      { length: 1500 },
      (_, row) => x.values[row]! * x.values[1500 + row]! + prng.next() / 10,
    );
    const loss = { kind: 'squared' } as const;
    const fit = (maxLeaves: number) =>
      fitGradientBoosting({
        x,
        y,
        loss,
        parameters: { ...defaultGradientBoostingParameters(loss), nEstimators: 1, maxLeaves, minSamplesLeaf: 2 },
      });
    const [large, small] = [fit(400), fit(200)];
    expect(large.feature.length).toBe(799);
    // Leaves are split in the order of their gain, so the first nodes agree whatever the limit.
    for (let node = 0; node < 300; node++) expect(large.left[node]! >= 0 || small.left[node]! < 0).toBe(true);
    const residual = (model: GradientBoosting) => model.history.train[0]!;
    expect(residual(large)).toBeLessThan(residual(small));
  });
});

describe('odd inputs', () => {
  const loss = { kind: 'squared' } as const;
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 5, minSamplesLeaf: 1 };

  it('one row, constant columns, missing columns and no columns give the base answer', () => {
    const single = fitGradientBoosting({ x: matrixOf([[3, NaN]]), y: Float64Array.of(4), loss, parameters });
    expect(predictBoosting(single, matrixOf([[1, 2]]))).toEqual(Float64Array.of(4));
    const flat = matrixOf(Array.from({ length: 20 }, () => [1, NaN]));
    const y = Float64Array.from({ length: 20 }, (_, row) => row);
    expect(predictBoosting(fitGradientBoosting({ x: flat, y, loss, parameters }), flat)[0]).toBe(9.5);
    const none = { rows: 20, columns: 0, values: new Float64Array(0) };
    expect(predictBoosting(fitGradientBoosting({ x: none, y, loss, parameters }), none)[0]).toBe(9.5);
  });

  it('one class alone is near certain and stays finite', () => {
    const x = matrixOf(Array.from({ length: 50 }, (_, row) => [row]));
    for (const own of [{ kind: 'logistic' }, { kind: 'softmax', classes: 3 }] as const) {
      const model = fitGradientBoosting({ x, y: new Float64Array(50), loss: own, parameters });
      const answers = predictBoosting(model, x);
      expect(answers.every((p) => p >= 0 && p <= 1)).toBe(true);
      expect(answers[0]!).toBeGreaterThan(0.95);
    }
  });

  it('infinities and the largest numbers are values like others', () => {
    const cells = [-Infinity, -Number.MAX_VALUE, -1, 0, 1, Number.MAX_VALUE, Infinity, NaN];
    const x = matrixOf(Array.from({ length: 64 }, (_, row) => [cells[row % 8]!]));
    const y = Float64Array.from({ length: 64 }, (_, row) => (row % 8 < 4 ? 0 : row % 8 === 7 ? 3 : 1));
    const model = fitGradientBoosting({
      x,
      y,
      loss,
      parameters: { ...parameters, nEstimators: 100, learningRate: 0.3 },
    });
    const answers = predictBoosting(model, x);
    y.forEach((value, row) => expect(answers[row]).toBeCloseTo(value, 5));
  });

  it('a row of weight 0 changes nothing', () => {
    const given = input(loss, 100);
    const x = matrixOf([...Array.from({ length: 100 }, (_, row) => [...rowOf(given.x, row)]), [50, 50, 8, 3]]);
    const weights = Float64Array.from({ length: 101 }, (_, row) => (row < 100 ? 1 : 0));
    const more = fitGradientBoosting({ ...given, x, y: Float64Array.of(...given.y, 1e6), weights });
    margins(more, given.x).forEach((value, at) =>
      expect(value).toBeCloseTo(margins(fitGradientBoosting(given), given.x)[at]!, 6),
    );
  });

  it.each([
    [
      'no rows',
      { x: { rows: 0, columns: 1, values: new Float64Array(0) }, y: new Float64Array(0) },
      /at least one row/,
    ],
    ['too few targets', { y: new Float64Array(3) }, /10 rows but 3 targets/],
    ['a target that is no number', { y: new Float64Array(10).fill(NaN) }, /target of row 0/],
    ['a negative weight', { weights: new Float64Array(10).fill(-1) }, /weight of row 0/],
    ['no weight at all', { weights: new Float64Array(10) }, /all weights are 0/],
    ['directions for other columns', { monotone: new Int8Array(3) }, /3 monotone directions/],
    ['a category column that is none', { categorical: [1] }, /categorical column 1/],
    ['no rounds', { parameters: { ...parameters, nEstimators: 0 } }, /nEstimators is 0/],
    ['256 bins', { parameters: { ...parameters, maxBins: 256 } }, /maxBins is 256/],
    ['the quantile 1', { loss: { kind: 'quantile', alpha: 1 } as const }, /alpha/],
    ['negative counts', { y: new Float64Array(10).fill(-1), loss: { kind: 'poisson' } as const }, /0 or more/],
    ['class 2 of two', { y: new Float64Array(10).fill(2), loss: { kind: 'logistic' } as const }, /from 0 to 1/],
  ])('%s: refused with the reason', (_, changes, message) => {
    const x = matrixOf(Array.from({ length: 10 }, (_row, row) => [row]));
    const given = { x, y: Float64Array.from({ length: 10 }, (_row, row) => row), loss, parameters };
    expect(() => fitGradientBoosting({ ...given, ...changes })).toThrow(RangeError);
    expect(() => fitGradientBoosting({ ...given, ...changes })).toThrow(message);
  });

  it('a model of another table is not resumed', () => {
    const model = fitGradientBoosting(input(loss, 100));
    expect(() => fitGradientBoosting({ ...input(loss, 120), resumeFrom: model })).toThrow(/cannot resume/);
  });
});
