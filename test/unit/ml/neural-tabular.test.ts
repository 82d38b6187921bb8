import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fitTabularNetwork } from '../../../ml/neural/fit-tabular-network.js';
import type { TabularHeadInput, TabularNetworkInput } from '../../../ml/neural/fit-tabular-network.js';
import { predictTabularGraph } from '../../../ml/neural/tabular-graph.js';
import { tabularOutputs } from '../../../ml/neural/tabular-network.js';
import type { TabularNetwork } from '../../../ml/neural/tabular-network.js';
import { predictTabularNetwork, predictTabularNetworkRow } from '../../../ml/neural/tabular-prediction.js';
import { createPrng } from '../../../ml/random/prng.js';
import { selectNetworkBackend } from '../../../services/training/network-backend.js';
import { matrixOf } from './matrix-of.js';
import { makeRandomNetwork, makeTable } from './neural-data.js';

beforeAll(() => selectNetworkBackend({ gpuEnabled: false, allowed: ['wasm'] }));

const table = makeTable(600, 5);
const parameters = { hidden: [16], epochs: 25, batchSize: 32, dropout: 0.05, learningRate: 0.01 };
const binary: TabularHeadInput = { name: 'binary', kind: 'binary', truth: table.binary };
const input: TabularNetworkInput = {
  matrix: table.matrix,
  categories: table.categories,
  heads: [binary],
  parameters,
  seed: 3,
};

function predict(network: TabularNetwork, row: ArrayLike<number>): number[] {
  const out = new Float64Array(tabularOutputs(network.description));
  predictTabularNetworkRow(network, row, out);
  return [...out];
}

/** The share of rows whose most probable class, of the `count` from `at`, is the truth. */
function accuracy(network: TabularNetwork, cells: number[][], truth: ArrayLike<number>, at = 0, count = 2): number {
  const isRight = (row: number[], i: number): boolean => {
    const own = predict(network, row).slice(at, at + count);
    return own.indexOf(Math.max(...own)) === truth[i];
  };
  return cells.filter(isRight).length / cells.length;
}

describe('a table network without TensorFlow', () => {
  it('answers the rows of a matrix as each is answered alone, to the bit, however many there are', () => {
    const prng = createPrng(9);
    for (let seed = 0; seed < 20; seed++) {
      const network = makeRandomNetwork(seed);
      const rows = Array.from({ length: 1 + (seed % 9) }, () =>
        network.description.columns.map(({ kind }) =>
          prng.next() < 0.2 ? NaN : kind === 'number' ? 3 * prng.nextGaussian() : prng.nextInt(8) - 1,
        ),
      );
      const together = predictTabularNetwork(network, matrixOf(rows));
      expect([...together]).toEqual(rows.flatMap((row) => predict(network, row)));
    }
  });

  it('answers as its graph does within 1e-5, whatever its columns, layers and heads', () => {
    const prng = createPrng(8);
    for (let seed = 0; seed < 40; seed++) {
      const network = makeRandomNetwork(seed);
      const rows = Array.from({ length: 5 }, () =>
        network.description.columns.map(({ kind }) =>
          prng.next() < 0.2 ? NaN : kind === 'number' ? 3 * prng.nextGaussian() : prng.nextInt(8) - 1,
        ),
      );
      const graph = predictTabularGraph(network, matrixOf(rows));
      const outputs = tabularOutputs(network.description);
      rows.forEach((row, i) => {
        predict(network, row).forEach((value, j) => {
          const expected = graph[i * outputs + j]!;
          // 1e-5 of the value where it is no probability: single precision has 7 digits.
          expect(Math.abs(value - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(1e-5);
        });
      });
    }
  });

  it('gives probabilities that sum to 1, and never less than nothing', () => {
    for (let seed = 0; seed < 20; seed++) {
      const network = makeRandomNetwork(seed);
      const values = predict(
        network,
        network.description.columns.map(() => 1e300),
      );
      let at = 0;
      for (const head of network.description.heads) {
        const count = head.kind === 'binary' ? 2 : head.kind === 'regression' ? 1 : head.classes;
        const own = values.slice(at, (at += count));
        if (head.kind === 'regression') continue;
        expect(Math.min(...own)).toBeGreaterThanOrEqual(0);
        expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
      }
    }
  });

  it('says how much room its answers need', () => {
    const network = makeRandomNetwork(1);
    expect(() => predictTabularNetworkRow(network, [1, 2, 3, 4, 5, 6], new Float64Array(0))).toThrow(RangeError);
  });
});

describe('training a table network', () => {
  it('gives the same weights to the bit for the same seed, others for another, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const short = { ...input, parameters: { ...parameters, epochs: 3 } };
    const [first, second] = [await fitTabularNetwork(short), await fitTabularNetwork(short)];
    expect(second).toEqual(first);
    expect((await fitTabularNetwork({ ...short, seed: 4 })).network.weights).not.toEqual(first.network.weights);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves no tensor behind when it is stopped', async () => {
    const before = tf.memory().numTensors;
    const stop = () => {
      throw new Error('stopped');
    };
    await expect(fitTabularNetwork({ ...input, onEpoch: stop })).rejects.toThrow('stopped');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('learns four kinds of answers together, each from the rows that have its truth', async () => {
    const some = (truth: Float64Array, keep: number) => truth.map((value, i) => (i % 3 === keep ? NaN : value));
    const heads: TabularHeadInput[] = [
      { ...binary, truth: some(table.binary, 0) },
      { name: 'ordered', kind: 'ordered', classes: 4, truth: some(table.ordered, 1) },
      { name: 'multiclass', kind: 'multiclass', classes: 3, truth: some(table.multiclass, 2) },
      { name: 'number', kind: 'regression', truth: table.number },
    ];
    const { network, history } = await fitTabularNetwork({
      ...input,
      heads,
      parameters: { ...parameters, epochs: 50 },
    });
    const fresh = makeTable(500, 6);
    // Always the most frequent class has 0.5, 0.3 and 0.4; a linear model about 0.7, 0.4 and 0.5.
    expect(accuracy(network, fresh.cells, fresh.binary)).toBeGreaterThan(0.8);
    expect(accuracy(network, fresh.cells, fresh.ordered, 2, 4)).toBeGreaterThan(0.55);
    expect(accuracy(network, fresh.cells, fresh.multiclass, 6, 3)).toBeGreaterThan(0.6);
    const spread = standardDeviation(fresh.number);
    const errors = fresh.cells.map((row, i) => predict(network, row)[9]! - fresh.number[i]!);
    expect(standardDeviation(errors)).toBeLessThan(0.6 * spread);
    expect(history.epochs.length).toBeGreaterThanOrEqual(history.bestEpoch);
  });

  it('learns nothing from rows without a truth', async () => {
    const half = Uint32Array.from({ length: 600 }, (_, i) => i).filter((row) => row % 2 === 1);
    const masked = { ...binary, truth: table.binary.map((value, i) => (i % 2 === 0 ? NaN : value)) };
    const short = { ...parameters, epochs: 2, batchSize: 600, dropout: 0 };
    const settings = { ...input, parameters: short, validationRows: new Uint32Array(0) };
    const { network: all } = await fitTabularNetwork({ ...settings, heads: [masked] });
    const { network: known } = await fitTabularNetwork({
      ...settings,
      heads: [{ ...binary, truth: Float64Array.from(half, (row) => table.binary[row]!) }],
      matrix: matrixOf([...half].map((row) => table.cells[row]!)),
    });
    // The scaling of the columns sees all rows, so the two are near, not equal: a truth taken as 0 would be off by far more.
    for (const row of table.cells.slice(0, 20)) expect(predict(all, row)[1]).toBeCloseTo(predict(known, row)[1]!, 1);
  });

  it('answers as well when columns are in another order', async () => {
    const turned = table.cells.map(([a, b, c]) => [c!, a!, b!]);
    const { network } = await fitTabularNetwork({ ...input, matrix: matrixOf(turned), categories: [5, 0, 0] });
    const fresh = makeTable(400, 7);
    const { network: straight } = await fitTabularNetwork(input);
    const own = accuracy(
      network,
      fresh.cells.map(([a, b, c]) => [c!, a!, b!]),
      fresh.binary,
    );
    // Two fits of the same rows from other starts differ by a few points at most.
    expect(Math.abs(own - accuracy(straight, fresh.cells, fresh.binary))).toBeLessThan(0.08);
  });

  it('stops when later epochs are no better, and keeps the best one', async () => {
    const noise = createPrng(2);
    const heads = [{ ...binary, truth: table.binary.map(() => noise.nextInt(2)) }];
    const { history } = await fitTabularNetwork({
      ...input,
      heads,
      parameters: { ...parameters, epochs: 200, patience: 3 },
    });
    expect(history.epochs.length).toBeLessThan(60);
    const losses = history.epochs.map(({ validationLoss }) => validationLoss!);
    expect(losses[history.bestEpoch - 1]).toBe(Math.min(...losses));
    expect(history.epochs.length - history.bestEpoch).toBe(3);
  });

  it('takes one row, one class, constant and empty columns, and infinite cells', async () => {
    const odd = matrixOf([
      [7, NaN, Infinity],
      [7, NaN, -Infinity],
      [7, NaN, 1e308],
    ]);
    const heads: TabularHeadInput[] = [
      { name: 'one', kind: 'multiclass', classes: 1, truth: [0, 0, 0] },
      { name: 'same', kind: 'binary', truth: [1, 1, NaN] },
      { name: 'flat', kind: 'regression', truth: [5, 5, 5] },
    ];
    const { network } = await fitTabularNetwork({ ...input, matrix: odd, categories: [0, 0, 0], heads });
    const [one, no, yes, flat] = predict(network, [8, 1, NaN]);
    expect(one).toBe(1);
    expect(yes).toBeGreaterThan(0.5);
    expect(no! + yes!).toBeCloseTo(1, 12);
    expect(flat).toBeCloseTo(5, 1);
    const single = await fitTabularNetwork({
      ...input,
      matrix: matrixOf([[1, 2, 3]]),
      heads: [{ ...binary, truth: [1] }],
    });
    expect(predict(single.network, [1, 2, 3])[1]).toBeGreaterThan(0.5);
  });

  it.each([
    ['no rows', { matrix: { rows: 0, columns: 3, values: new Float64Array(0) } }],
    ['no heads', { heads: [] }],
    ['categories of other columns', { categories: [0] }],
    ['a head without any truth', { heads: [{ ...binary, truth: table.binary.map(() => NaN) }] }],
    ['a truth that is no class', { heads: [{ ...binary, truth: table.binary.map(() => 2) }] }],
    ['truths of other rows', { heads: [{ ...binary, truth: [1] }] }],
    ['a head without classes', { heads: [{ ...binary, kind: 'ordered' as const }] }],
    ['dropout of everything', { parameters: { dropout: 1 } }],
    ['no batches', { parameters: { batchSize: 0 } }],
    ['a layer of nothing', { parameters: { hidden: [0] } }],
    ['only validation rows', { validationRows: Uint32Array.from({ length: 600 }, (_, i) => i) }],
    ['a seed that is no whole number', { seed: 0.5 }],
  ])('refuses %s', async (_, change) => {
    await expect(fitTabularNetwork({ ...input, ...change })).rejects.toThrow(RangeError);
  });
});

function standardDeviation(values: ArrayLike<number>): number {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
}
