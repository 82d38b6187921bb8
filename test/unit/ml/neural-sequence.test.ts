import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { predictionsOf, sequenceCount } from '../../../ml/neural/event-sequences.js';
import type { EventSequences } from '../../../ml/neural/event-sequences.js';
import { fitNextActivityModel } from '../../../ml/neural/fit-next-activity-model.js';
import { fitSequenceNetwork } from '../../../ml/neural/fit-sequence-network.js';
import { fitMarkovChain, predictMarkovChain } from '../../../ml/neural/markov-chain.js';
import { predictNextActivity } from '../../../ml/neural/next-activity-model.js';
import { predictSequenceGraph } from '../../../ml/neural/sequence-graph.js';
import { layOutSequence } from '../../../ml/neural/sequence-network.js';
import type { SequenceNetwork } from '../../../ml/neural/sequence-network.js';
import { predictSequenceNetwork } from '../../../ml/neural/sequence-prediction.js';
import { createPrng } from '../../../ml/random/prng.js';
import { selectNetworkBackend } from '../../../services/training/network-backend.js';
import { makeSequences } from './neural-data.js';

beforeAll(() => selectNetworkBackend({ gpuEnabled: false, allowed: ['wasm'] }));

const NONE = { codes: [], times: [] };
const parameters = { width: 4, hidden: 12, epochs: 8, batchSize: 32, learningRate: 0.02 };

function toSequences(lists: number[][], activities: number, hasEnd: boolean): EventSequences {
  const offsets = new Uint32Array(lists.length + 1);
  lists.forEach((codes, i) => (offsets[i + 1] = offsets[i]! + codes.length));
  const codes = Int32Array.from(lists.flat());
  return { activities, hasEnd, offsets, codes, times: new Float64Array(codes.length).fill(NaN) };
}

function chainAnswer(sequences: EventSequences, options: { order: number; halfLife?: number }, history: number[]) {
  const out = new Float64Array(sequences.activities + (sequences.hasEnd ? 1 : 0));
  predictMarkovChain(fitMarkovChain(sequences, options), history, out);
  return [...out];
}

describe('a Markov chain', () => {
  it('mixes contexts as Witten and Bell say, counted by hand', () => {
    // After 0 came 1 twice and the end once: 3 events of 2 kinds. Of all 8: 0 three times, 1 twice, the end three times, of 3 kinds.
    const sequences = toSequences([[0, 1], [0, 1], [0]], 2, true);
    const all = [3, 2, 3].map((count) => (count + 3 * (1 / 3)) / (8 + 3));
    const expected = [0, 2, 1].map((count, c) => (count + 2 * all[c]!) / (3 + 2));
    chainAnswer(sequences, { order: 1 }, [0]).forEach((p, c) => expect(p).toBeCloseTo(expected[c]!, 7));
  });

  it('falls back to shorter contexts for one never seen, and to equal shares for nothing', () => {
    const sequences = toSequences([[0, 1, 0, 1]], 3, false);
    expect(chainAnswer(sequences, { order: 3 }, [2, 2, 0])).toEqual(chainAnswer(sequences, { order: 1 }, [0]));
    expect(chainAnswer(sequences, { order: 2 }, [2])).toEqual(chainAnswer(sequences, { order: 0 }, []));
  });

  it('knows the beginning from the middle', () => {
    const sequences = toSequences(
      [
        [0, 1, 1],
        [0, 1, 1],
      ],
      2,
      false,
    );
    expect(chainAnswer(sequences, { order: 1 }, [])[0]).toBeGreaterThan(0.5);
    expect(chainAnswer(sequences, { order: 1 }, [1])[1]).toBeGreaterThan(0.5);
  });

  it('follows a process that changed when later sequences count more', () => {
    const old = Array.from({ length: 80 }, () => [0, 1]);
    const recent = Array.from({ length: 20 }, () => [0, 2]);
    const sequences = toSequences([...old, ...recent], 3, false);
    expect(chainAnswer(sequences, { order: 1 }, [0])[1]).toBeGreaterThan(0.6);
    expect(chainAnswer(sequences, { order: 1, halfLife: 8 }, [0])[2]).toBeGreaterThan(0.6);
  });

  it('gives probabilities that sum to 1 for any history', () => {
    const chain = fitMarkovChain(makeSequences(50, 1), { order: 3, halfLife: 5 });
    const out = new Float64Array(4);
    const prng = createPrng(3);
    for (let i = 0; i < 100; i++) {
      predictMarkovChain(
        chain,
        Array.from({ length: prng.nextInt(6) }, () => prng.nextInt(3)),
        out,
      );
      expect(out.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 10);
      expect(Math.min(...out)).toBeGreaterThan(0);
    }
  });

  it('does not count the end of what goes on', () => {
    const sequences = { ...toSequences([[0], [0]], 1, true), ended: Uint8Array.of(1, 0) };
    expect([predictionsOf(sequences, 0), predictionsOf(sequences, 1)]).toEqual([2, 1]);
    expect(() => fitMarkovChain({ ...sequences, ended: Uint8Array.of(1) }, { order: 1 })).toThrow(RangeError);
  });

  it.each([
    ['an order above 3', {}, { order: 4 }],
    ['a half-life of 0', {}, { order: 1, halfLife: 0 }],
    ['codes that are no activities', { codes: Int32Array.of(0, 5) }, { order: 1 }],
    ['events without times', { times: new Float64Array(1) }, { order: 1 }],
    ['sequences that end before they begin', { offsets: Uint32Array.of(0, 2, 1, 2) }, { order: 1 }],
    [
      'nothing',
      { offsets: Uint32Array.of(0, 0), codes: new Int32Array(0), times: new Float64Array(0), hasEnd: false },
      { order: 1 },
    ],
  ])('refuses %s', (_, change, options) => {
    const sequences = { ...toSequences([[0, 1]], 2, false), ...change };
    expect(() => fitMarkovChain(sequences, options)).toThrow(RangeError);
  });
});

function randomNetwork(seed: number): SequenceNetwork {
  const prng = createPrng(seed, 5);
  const description = {
    kind: 'sequence' as const,
    activities: 3,
    hasEnd: seed % 2 === 0,
    width: 1 + prng.nextInt(5),
    hidden: 1 + prng.nextInt(9),
    longest: 64,
  };
  const weights = Float32Array.from({ length: layOutSequence(description).size }, () => prng.nextGaussian());
  return { description, weights };
}

describe('a sequence network', () => {
  it('answers without TensorFlow as its graph does within 1e-5, before every event', () => {
    for (let seed = 0; seed < 20; seed++) {
      const network = randomNetwork(seed);
      const sequences = { ...makeSequences(4, seed), hasEnd: network.description.hasEnd };
      if (seed % 3 === 0) sequences.times.fill(NaN, 2);
      const classes = network.description.hasEnd ? 4 : 3;
      const out = new Float64Array(classes);
      for (let i = 0; i < sequenceCount(sequences); i++) {
        const to = predictionsOf(sequences, i);
        const graph = predictSequenceGraph(network, sequences, { sequence: i, from: 0, to });
        const start = sequences.offsets[i]!;
        for (let position = 0; position < to; position++) {
          const [codes, times] = [
            sequences.codes.subarray(start, start + position),
            sequences.times.subarray(start, start + position),
          ];
          predictSequenceNetwork(network, { codes, times }, out);
          out.forEach((p, c) => expect(Math.abs(p - graph[position * classes + c]!)).toBeLessThan(1e-5));
        }
      }
    }
  });

  it('looks at the last events only, and at the first one of a short history', () => {
    const network = randomNetwork(2);
    const short = { ...network, description: { ...network.description, longest: 2 } };
    const ask = (codes: number[]) => {
      const out = new Float64Array(4);
      predictSequenceNetwork(short, { codes, times: codes.map(() => NaN) }, out);
      return out;
    };
    expect(ask([0, 1, 2, 1])).toEqual(ask([2, 0, 2, 1]));
    expect(ask([2, 1])).not.toEqual(ask([0, 1]));
    expect(() => ask([3])).toThrow(RangeError);
  });

  it('learns from sequences of a single event too', async () => {
    const sequences = toSequences(
      Array.from({ length: 64 }, () => [1]),
      3,
      false,
    );
    const { network } = await fitSequenceNetwork({ sequences, validationSequences: 0, parameters, seed: 1 });
    const out = new Float64Array(3);
    predictSequenceNetwork(network, NONE, out);
    expect(out[1]).toBeGreaterThan(0.9);
  });

  it('is the same to the bit for the same seed, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const input = {
      sequences: makeSequences(60, 1),
      validationSequences: 10,
      parameters: { ...parameters, epochs: 2 },
      seed: 4,
    };
    const first = await fitSequenceNetwork(input);
    expect(await fitSequenceNetwork(input)).toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('learns what a chain of order 1 cannot: an event that comes in a certain place', async () => {
    const { network } = await fitSequenceNetwork({
      sequences: makeSequences(300, 1),
      validationSequences: 50,
      parameters: { ...parameters, epochs: 15 },
      seed: 4,
    });
    const out = new Float64Array(4);
    let right = 0;
    for (let i = 0; i < 20; i++) {
      const codes = [i % 2, 1 - (i % 2), i % 2];
      predictSequenceNetwork(network, { codes, times: codes.map((_, event) => (i + event) * 3_600_000) }, out);
      // After three events comes 2 or the end, never 0 or 1.
      if (out[2]! + out[3]! > 0.8) right++;
    }
    expect(right).toBeGreaterThan(15);
  });

  it('refuses to keep all sequences for validation, weights of others, and weights that are all 0', async () => {
    const sequences = makeSequences(5, 1);
    const fit = (change: object) =>
      fitSequenceNetwork({ sequences, validationSequences: 0, parameters, seed: 1, ...change });
    await expect(fit({ validationSequences: 5 })).rejects.toThrow(RangeError);
    await expect(fit({ weights: new Float64Array(2) })).rejects.toThrow(RangeError);
    await expect(fit({ weights: new Float64Array(5) })).rejects.toThrow(RangeError);
  });
});

describe('the choice of a model for the next activity', () => {
  it('takes the candidate with the least loss on later sequences, of those that forget only where that is no chance', async () => {
    const { model, choice } = await fitNextActivityModel({ sequences: makeSequences(300, 1), parameters, seed: 2 });
    const remembering = choice.candidates.filter(({ name }) => !name.includes('half-life'));
    const least = remembering.reduce((a, b) => (b.loss < a.loss ? b : a));
    expect(choice.chosen).toBe(least.name);
    expect(choice.judgedOn.sequences).toBe(45);
    const out = new Float64Array(4);
    predictNextActivity(model, NONE, out);
    expect(out.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    expect(() => predictNextActivity(model, NONE, new Float64Array(3))).toThrow(RangeError);
  });

  it('prefers later sequences when the process has changed', async () => {
    // From sequence 220 on 0 and 1 repeat instead of alternating.
    const sequences = makeSequences(300, 1, 220);
    const { model } = await fitNextActivityModel({ sequences, withNetwork: false, seed: 2 });
    expect(model.chain.description.halfLife).toBeLessThanOrEqual(75);
    const steady = await fitNextActivityModel({ sequences: makeSequences(300, 1), withNetwork: false, seed: 2 });
    expect(steady.model.chain.description.halfLife ?? Infinity).toBeGreaterThan(75);
  });

  it('makes do with a chain of order 1 where there is too little to choose on', async () => {
    const { model, choice } = await fitNextActivityModel({ sequences: makeSequences(10, 1), seed: 2 });
    expect(model.network).toBeUndefined();
    expect(model.chain.description.order).toBe(1);
    expect(choice.candidates).toEqual([]);
  });
});
