import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fitSequenceNetwork } from '../../../ml/neural/fit-sequence-network.js';
import { fitTabularNetwork } from '../../../ml/neural/fit-tabular-network.js';
import { predictTabularGraph } from '../../../ml/neural/tabular-graph.js';
import { tabularOutputs } from '../../../ml/neural/tabular-network.js';
import { predictTabularNetworkRow } from '../../../ml/neural/tabular-prediction.js';
import { selectNetworkBackend, tensorflowNativeFolder } from '../../../services/training/network-backend.js';
import { makeSequences, makeTable } from './neural-data.js';

let empty: string;
beforeEach(() => (empty = mkdtempSync(join(tmpdir(), 'tensorflow-'))));
afterEach(() => rmSync(empty, { recursive: true, force: true }));

const { matrix, cells, categories, binary } = makeTable(200, 1);
const input = {
  matrix,
  categories,
  heads: [{ name: 'binary', kind: 'binary' as const, truth: binary }],
  parameters: { hidden: [8], epochs: 3 },
  seed: 1,
};

describe('the backend of networks', () => {
  it('is WebAssembly where native TensorFlow was not built, without a warning', async () => {
    const chosen = await selectNetworkBackend({ gpuEnabled: false, cacheFolder: empty });
    expect(chosen).toEqual({ backend: 'wasm', device: expect.stringMatching(/^WebAssembly on ./) as string });
    expect(tf.getBackend()).toBe('wasm');
  });

  it('falls back with a warning that says what to do when a GPU is wanted and none is there', async () => {
    const chosen = await selectNetworkBackend({ gpuEnabled: true, cacheFolder: empty });
    expect(chosen.backend).toBe('wasm');
    expect(chosen.warning).toMatch(/GPU_ENABLED is set, but no GPU.*npm run tensorflow:native -- --gpu/);
  });

  it('falls back with a warning when the native build is broken', async () => {
    const folder = tensorflowNativeFolder('cpu', empty);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{}');
    const chosen = await selectNetworkBackend({ gpuEnabled: false, cacheFolder: empty });
    expect(chosen.backend).toBe('wasm');
    expect(chosen.warning).toMatch(/tensorflow did not start/);
  });

  it('trains in plain JavaScript where it must, to nearly the same network', async () => {
    expect((await selectNetworkBackend({ gpuEnabled: false, allowed: ['cpu'] })).device).toMatch(/^JavaScript on ./);
    const { network: plain } = await fitTabularNetwork(input);
    await selectNetworkBackend({ gpuEnabled: false, allowed: ['wasm'] });
    const { network } = await fitTabularNetwork(input);
    // The same steps in another order of additions: single precision drifts apart by far less than a step.
    network.weights.forEach((weight, i) => expect(Math.abs(weight - plain.weights[i]!)).toBeLessThan(1e-3));
  });

  it('is refused with every reason when none works', async () => {
    const choice = selectNetworkBackend({
      gpuEnabled: true,
      allowed: ['tensorflow-gpu', 'tensorflow'],
      cacheFolder: empty,
    });
    await expect(choice).rejects.toThrow(/tensorflow-gpu: .*tensorflow: not there yet/);
  });
});

const isBuilt = existsSync(join(tensorflowNativeFolder('cpu', process.env['MLOPS_CACHE_DIR']), 'package.json'));

describe.skipIf(!isBuilt)('native TensorFlow (skipped where `npm run tensorflow:native` has not built it)', () => {
  it('trains every kind of network, the same to the bit for the same seed, and leaves no tensor behind', async () => {
    const cacheFolder = process.env['MLOPS_CACHE_DIR'];
    const chosen = await selectNetworkBackend({ gpuEnabled: false, allowed: ['tensorflow'], cacheFolder });
    expect(chosen).toEqual({ backend: 'tensorflow', device: expect.stringMatching(/^TensorFlow on ./) as string });
    expect(tf.getBackend()).toBe('tensorflow');
    const before = tf.memory().numTensors;
    const { network } = await fitTabularNetwork(input);
    expect((await fitTabularNetwork(input)).network).toEqual(network);
    const sequences = makeSequences(50, 1);
    await fitSequenceNetwork({ sequences, validationSequences: 10, parameters: { epochs: 1 }, seed: 1 });
    expect(tf.memory().numTensors).toBe(before);
    const graph = predictTabularGraph(network, matrix);
    const out = new Float64Array(tabularOutputs(network.description));
    cells.forEach((row, i) => {
      predictTabularNetworkRow(network, row, out);
      expect(Math.abs(out[1]! - graph[2 * i + 1]!)).toBeLessThan(1e-5);
    });
  });
});
