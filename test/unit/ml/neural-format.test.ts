import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { crc32, ModelFormatError } from '../../../ml/model-format.js';
import { fitAutoencoder } from '../../../ml/neural/fit-autoencoder.js';
import { fitMarkovChain } from '../../../ml/neural/markov-chain.js';
import { decodeNetwork, encodeNetwork } from '../../../ml/neural/network-format.js';
import type { StoredNetwork } from '../../../ml/neural/network-format.js';
import { layOutSequence } from '../../../ml/neural/sequence-network.js';
import type { SequenceDescription, SequenceNetwork } from '../../../ml/neural/sequence-network.js';
import { createPrng } from '../../../ml/random/prng.js';
import { selectNetworkBackend } from '../../../services/training/network-backend.js';
import { makeRandomNetwork, makeSequences, makeTable } from './neural-data.js';

function makeSequenceNetwork(): SequenceNetwork {
  const description: SequenceDescription = {
    kind: 'sequence',
    activities: 3,
    hasEnd: true,
    width: 2,
    hidden: 4,
    longest: 10,
  };
  const prng = createPrng(4);
  return {
    description,
    weights: Float32Array.from({ length: layOutSequence(description).size }, () => prng.nextGaussian()),
  };
}

const stored: Record<string, StoredNetwork> = {
  'a table network': makeRandomNetwork(5),
  'a sequence network': makeSequenceNetwork(),
  'a chain': fitMarkovChain(makeSequences(30, 2), { order: 2, halfLife: 7 }),
  'a chain without a half-life': fitMarkovChain(makeSequences(30, 2), { order: 3 }),
};

beforeAll(async () => {
  await selectNetworkBackend({ gpuEnabled: false, allowed: ['wasm'] });
  const { matrix, categories } = makeTable(60, 1);
  const input = { matrix, categories, parameters: { epochs: 2 }, seed: 1 };
  stored['an autoencoder'] = (await fitAutoencoder(input)).autoencoder;
});

/** Changes bytes of a file and makes its checksum right again, as an attacker would. */
function forge(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const forged = bytes.slice();
  const view = new DataView(forged.buffer);
  change(view);
  view.setUint32(12, crc32(forged.subarray(16)), true);
  return forged;
}

/** Encodes a network with another description, as it would be in a file made to harm. */
function withDescription(network: StoredNetwork, change: object): Uint8Array {
  return encodeNetwork({ ...network, description: { ...network.description, ...change } } as StoredNetwork);
}

describe('an encoded network', () => {
  it.each(['a table network', 'a sequence network', 'a chain', 'a chain without a half-life', 'an autoencoder'])(
    'comes back equal in every bit: %s',
    (name) => {
      const bytes = encodeNetwork(stored[name]!);
      expect(decodeNetwork(bytes)).toEqual(stored[name]);
      expect(encodeNetwork(decodeNetwork(bytes))).toEqual(bytes);
    },
  );

  it('is read from the middle of a larger buffer too', () => {
    const bytes = encodeNetwork(stored['a table network']!);
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 3);
    expect(decodeNetwork(larger.subarray(3, 3 + bytes.length))).toEqual(stored['a table network']);
  });

  it('is refused when any byte was changed or the end is missing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(stored)),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (network, at, by) => {
          const bytes = encodeNetwork(network);
          bytes[at % bytes.length]! ^= by;
          expect(() => decodeNetwork(bytes)).toThrow(ModelFormatError);
          expect(() => decodeNetwork(encodeNetwork(network).subarray(0, at % bytes.length))).toThrow(ModelFormatError);
        },
      ),
      { numRuns: 200, seed: 1 },
    );
  });

  it('is refused when its version or its sizes are others, even with a right checksum', () => {
    const bytes = encodeNetwork(stored['a chain']!);
    for (let field = 8; field < 32; field += 4) {
      if (field === 12) continue;
      const forged = forge(bytes, (view) => view.setUint32(field, view.getUint32(field, true) + 1, true));
      expect(() => decodeNetwork(forged), `field at ${field}`).toThrow(ModelFormatError);
    }
  });

  it('is refused when a weight is not finite', () => {
    const bytes = encodeNetwork(stored['a sequence network']!);
    const forged = forge(bytes, (view) => view.setFloat32(bytes.length - 8, NaN, true));
    expect(() => decodeNetwork(forged)).toThrow(/is NaN/);
  });

  it.each([
    ['a table network', { kind: 'forest' }],
    ['a table network', { columns: [] }],
    ['a table network', { columns: [{ kind: 'category', categories: 1e9, width: 1 }] }],
    ['a table network', { columns: [null] }],
    ['a table network', { hidden: [2.5] }],
    ['a table network', { hidden: [3, 3, 3, 3, 3] }],
    ['a table network', { heads: [{ name: 'x', kind: 'ordered', classes: 1 }] }],
    ['a table network', { bound: 0 }],
    ['a sequence network', { hidden: 5 }],
    ['a sequence network', { longest: 0 }],
    ['a sequence network', { hasEnd: 1 }],
    ['a chain', { order: 1 }],
    ['a chain', { activities: 1 }],
    ['a chain', { halfLife: -1 }],
    ['an autoencoder', { usualErrors: [0, 1, 1] }],
    ['an autoencoder', { usualErrors: [1] }],
    ['an autoencoder', { network: null }],
  ])('is refused when its description cannot be that of %s: %j', (name, change) => {
    expect(() => decodeNetwork(withDescription(stored[name]!, change))).toThrow(ModelFormatError);
  });

  it('is refused when the contexts of a chain point outside of it', () => {
    const chain = fitMarkovChain(makeSequences(20, 3), { order: 1 });
    for (let i = 0; i < chain.codes.length; i++) {
      const codes = chain.codes.slice();
      codes[i] = 100_000;
      expect(() => decodeNetwork(encodeNetwork({ ...chain, codes })), `code ${i}`).toThrow(ModelFormatError);
    }
  });
});
