import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { columnError, reconstructRow } from '../../../ml/neural/autoencoder.js';
import type { Autoencoder } from '../../../ml/neural/autoencoder.js';
import { fitAutoencoder } from '../../../ml/neural/fit-autoencoder.js';
import { predictTabularGraph } from '../../../ml/neural/tabular-graph.js';
import { tabularOutputs } from '../../../ml/neural/tabular-network.js';
import { predictTabularNetworkRow } from '../../../ml/neural/tabular-prediction.js';
import { createPrng } from '../../../ml/random/prng.js';
import { selectNetworkBackend } from '../../../services/training/network-backend.js';
import { matrixOf } from './matrix-of.js';

/** Three numbers that move together and a category that follows their sign. */
function makeRows(count: number, seed: number): number[][] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => {
    const common = prng.nextGaussian();
    const near = () => common + 0.1 * prng.nextGaussian();
    return [near(), 10 * near(), 100 + near(), common > 0 ? 1 : 0];
  });
}

const input = {
  matrix: matrixOf(makeRows(400, 1)),
  categories: [0, 0, 0, 2],
  parameters: { hidden: [16, 1, 16], epochs: 60, learningRate: 0.01, batchSize: 64 },
  seed: 2,
};
let autoencoder: Autoencoder;
let leaked: number;

beforeAll(async () => {
  await selectNetworkBackend({ gpuEnabled: false, allowed: ['wasm'] });
  const before = tf.memory().numTensors;
  autoencoder = (await fitAutoencoder(input)).autoencoder;
  leaked = tf.memory().numTensors - before;
});

describe('an autoencoder', () => {
  it('finds usual rows usual: their mean error is about 1', () => {
    const errors = makeRows(300, 3).map((row) => reconstructRow(autoencoder, row).error);
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    // The scale was set on 66 rows of such: the mean of other 300 is within a factor of two.
    expect(mean).toBeGreaterThan(0.5);
    expect(mean).toBeLessThan(2);
  });

  it('tells rows whose columns contradict each other from usual ones, though each value alone is usual', () => {
    const usual = makeRows(300, 4).map((row) => reconstructRow(autoencoder, row).error);
    const odd = makeRows(300, 5).map(([a, b, c, d]) => reconstructRow(autoencoder, [-a!, b!, c!, d!]).error);
    let above = 0;
    for (const one of odd) above += usual.filter((other) => other < one).length / usual.length / odd.length;
    // The area under the ROC curve; rows near 0 contradict nothing, so 1 is out of reach.
    expect(above).toBeGreaterThan(0.85);
  });

  it('names the column that does not fit', () => {
    const { columns } = reconstructRow(autoencoder, [2, 20, 300, 1]);
    expect(columns.indexOf(Math.max(...columns))).toBe(2);
    const wrongCategory = reconstructRow(autoencoder, [2, 20, 102, 0]).columns;
    expect(wrongCategory.indexOf(Math.max(...wrongCategory))).toBe(3);
  });

  it('leaves out what a row lacks, and holds a category never seen against it', () => {
    const { error, columns } = reconstructRow(autoencoder, [1, NaN, 101, 7]);
    expect(columns[1]).toBeNaN();
    expect(error).toBeGreaterThan(1);
    expect(reconstructRow(autoencoder, [NaN, NaN, NaN, NaN]).error).toBeNaN();
  });

  it('rebuilds rows without TensorFlow as its graph does within 1e-5, so that all errors agree', () => {
    const rows = [...makeRows(40, 9), [NaN, 10, 101, 1], [0, NaN, NaN, NaN]];
    const network = { description: autoencoder.description.network, weights: autoencoder.weights };
    const graph = predictTabularGraph(network, matrixOf(rows));
    const outputs = tabularOutputs(network.description);
    rows.forEach((row, i) => {
      const { columns } = reconstructRow(autoencoder, row);
      const rebuilt = graph.slice(i * outputs, (i + 1) * outputs);
      columns.forEach((error, column) => {
        // Three numbers come first, so that their heads stand where their columns do; the category has the rest.
        const byGraph =
          columnError(network.description, column, row[column]!, rebuilt, column) /
          autoencoder.description.usualErrors[column]!;
        if (Number.isNaN(error)) expect(byGraph).toBeNaN();
        // An error is the square of a difference over a small number: 1e-5 of the difference is more of the error.
        else expect(Math.abs(error - byGraph) / Math.max(1, error)).toBeLessThan(1e-3);
      });
      const answers = new Float64Array(outputs);
      predictTabularNetworkRow(network, row, answers);
      answers.forEach((value, o) =>
        expect(Math.abs(value - rebuilt[o]!) / Math.max(1, Math.abs(value))).toBeLessThan(1e-5),
      );
    });
  });

  it('is the same to the bit for the same seed, and leaves no tensor behind', async () => {
    const short = { ...input, parameters: { ...input.parameters, epochs: 2 } };
    expect((await fitAutoencoder(short)).autoencoder).toEqual((await fitAutoencoder(short)).autoencoder);
    expect(leaked).toBe(0);
  });

  it('takes constant columns and a single row, and refuses none and empty columns', async () => {
    const fit = (rows: number[][], categories: number[]) =>
      fitAutoencoder({ ...input, matrix: matrixOf(rows), categories, parameters: { epochs: 2 } });
    const { autoencoder: single } = await fit([[1, 2]], [0, 3]);
    expect(reconstructRow(single, [1, 2]).error).toBeGreaterThanOrEqual(0);
    await expect(fit([], [])).rejects.toThrow(RangeError);
    await expect(
      fit(
        [
          [NaN, 1],
          [NaN, 2],
        ],
        [0, 0],
      ),
    ).rejects.toThrow(/column 0/);
    await expect(fit([[1, 2]], [0])).rejects.toThrow(RangeError);
  });
});
