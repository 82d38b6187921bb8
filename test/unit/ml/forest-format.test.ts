import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeForest, encodeForest } from '../../../ml/ensemble/forest-format.js';
import { crc32, ModelFormatError } from '../../../ml/model-format.js';
import { defaultRandomForestParameters, fitRandomForest, predictForest } from '../../../ml/ensemble/random-forest.js';
import type { ForestTask, RandomForest } from '../../../ml/ensemble/random-forest.js';
import { createPrng } from '../../../ml/random/prng.js';
import { matrixOf } from './matrix-of.js';

const prng = createPrng(11);
const rows = Array.from({ length: 120 }, () => [
  prng.nextGaussian(),
  prng.next() < 0.2 ? NaN : prng.nextInt(5),
  prng.next(),
]);
const x = matrixOf(rows);

function fit(task: ForestTask, weights?: Float64Array): RandomForest {
  const y = Float64Array.from(rows, (row, i) =>
    task.kind === 'regression' ? row[0]! * 3 : (i * 7 + (row[0]! > 0 ? 1 : 0)) % task.classes,
  );
  const parameters = { ...defaultRandomForestParameters(task), nEstimators: 5, maxDepth: 5 };
  return fitRandomForest({ x, y, weights, task, parameters });
}

const TASKS: ForestTask[] = [
  { kind: 'classification', classes: 1 },
  { kind: 'classification', classes: 2 },
  { kind: 'classification', classes: 4 },
  { kind: 'regression' },
];

/** Changes bytes of a file and makes its checksum right again, as an attacker would. */
function forge(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const forged = bytes.slice();
  const view = new DataView(forged.buffer);
  change(view);
  view.setUint32(12, crc32(forged.subarray(16)), true);
  return forged;
}

describe('an encoded forest', () => {
  it.each(TASKS)('comes back equal in every bit (%j)', (task) => {
    for (const weights of [undefined, Float64Array.from(rows, (_, i) => 0.5 + (i % 3) / 3)]) {
      const forest = fit(task, weights);
      const decoded = decodeForest(encodeForest(forest));
      expect(decoded).toEqual(forest);
      expect(predictForest(decoded, x)).toEqual(predictForest(forest, x));
    }
  });

  it('is read from the middle of a larger buffer too', () => {
    const bytes = encodeForest(fit(TASKS[1]!));
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 3);
    expect(decodeForest(larger.subarray(3, 3 + bytes.length))).toEqual(fit(TASKS[1]!));
  });

  it('can be resumed from', () => {
    const task = TASKS[1]!;
    const y = Float64Array.from(rows, (row) => (row[0]! > 0 ? 1 : 0));
    const parameters = { ...defaultRandomForestParameters(task), nEstimators: 6 };
    const whole = fitRandomForest({ x, y, task, parameters });
    const first = fitRandomForest({ x, y, task, parameters: { ...parameters, nEstimators: 2 } });
    expect(fitRandomForest({ x, y, task, parameters, resumeFrom: decodeForest(encodeForest(first)) })).toEqual(whole);
  });

  it('is refused when any single bit is flipped', () => {
    const bytes = encodeForest(fit(TASKS[1]!));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const flipped = bytes.slice();
        flipped[at]! ^= 1 << bit;
        expect(() => decodeForest(flipped)).toThrow(ModelFormatError);
      }),
      { numRuns: 300 },
    );
  });

  it('is refused when it is cut short anywhere or added to', () => {
    const bytes = encodeForest(fit(TASKS[3]!));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => decodeForest(bytes.subarray(0, length))).toThrow(ModelFormatError);
      }),
    );
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => decodeForest(longer)).toThrow(/says it has/);
  });

  it('is refused, or is a forest whose every walk ends, whatever a forger writes with a right checksum', () => {
    const bytes = encodeForest(fit(TASKS[1]!));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 16, max: bytes.length - 4 }), fc.nat(0xffffffff)), {
          minLength: 1,
          maxLength: 4,
        }),
        (writes) => {
          const forged = forge(bytes, (view) => writes.forEach(([at, value]) => view.setUint32(at, value, true)));
          let forest: RandomForest;
          try {
            forest = decodeForest(forged);
          } catch (error) {
            expect(error).toBeInstanceOf(ModelFormatError);
            return;
          }
          forest.left.forEach((child, node) => child >= 0 && expect(child).toBeGreaterThan(node));
          if (forest.features === x.columns) expect(predictForest(forest, x).every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('says in words why another file is refused', () => {
    expect(() => decodeForest(new Uint8Array(100))).toThrow(/does not begin with the magic/);
    expect(() => decodeForest(new Uint8Array(3))).toThrow(/has 3 bytes/);
    const bytes = encodeForest(fit(TASKS[1]!));
    expect(() => decodeForest(forge(bytes, (view) => view.setUint32(8, 9, true)))).toThrow(
      /format version 9, this program reads version 1/,
    );
  });
});

describe('crc32', () => {
  it('has the check value of the standard', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});
