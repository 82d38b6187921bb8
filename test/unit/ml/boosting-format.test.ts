import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBoosting, encodeBoosting } from '../../../ml/ensemble/boosting-format.js';
import { crc32, ModelFormatError } from '../../../ml/model-format.js';
import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
  truncateBoosting,
} from '../../../ml/ensemble/gradient-boosting.js';
import type { BoostingLoss, GradientBoosting } from '../../../ml/ensemble/gradient-boosting.js';
import { createPrng } from '../../../ml/random/prng.js';
import { matrixOf } from './matrix-of.js';

const prng = createPrng(11);
const rows = Array.from({ length: 120 }, () => [
  prng.nextGaussian(),
  prng.next() < 0.2 ? NaN : prng.nextInt(5),
  prng.nextInt(4),
]);
const x = matrixOf(rows);

function fit(loss: BoostingLoss, nEstimators = 4): GradientBoosting {
  const y = Float64Array.from(rows, ([a, , code]) => {
    const z = a! + 2 * (code! % 3);
    return loss.kind === 'softmax' ? code! % loss.classes : loss.kind === 'logistic' ? +(z > 2) : Math.exp(z / 2);
  });
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators, maxLeaves: 5, minSamplesLeaf: 2 };
  const validation = { x, y };
  return fitGradientBoosting({ x, y, loss, parameters, categorical: [2], validation });
}

const LOSSES: BoostingLoss[] = [
  { kind: 'logistic' },
  { kind: 'softmax', classes: 3 },
  { kind: 'squared' },
  { kind: 'quantile', alpha: 0.9 },
  { kind: 'poisson' },
];

/** Changes bytes of a file and makes its checksum right again, as an attacker would. */
function forge(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const forged = bytes.slice();
  const view = new DataView(forged.buffer);
  change(view);
  view.setUint32(12, crc32(forged.subarray(16)), true);
  return forged;
}

describe('an encoded boosted model', () => {
  it.each(LOSSES)('comes back equal in every bit (%j)', (loss) => {
    const model = fit(loss);
    expect(model.codes.length).toBeGreaterThan(0);
    const decoded = decodeBoosting(encodeBoosting(model));
    expect(decoded).toEqual(model);
    expect(encodeBoosting(decoded)).toEqual(encodeBoosting(model));
    expect(predictBoosting(decoded, x)).toEqual(predictBoosting(model, x));
  });

  it('is read from the middle of a larger buffer too', () => {
    const bytes = encodeBoosting(fit(LOSSES[0]!));
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 3);
    expect(decodeBoosting(larger.subarray(3, 3 + bytes.length))).toEqual(fit(LOSSES[0]!));
  });

  it('can be resumed from, and cut to its first rounds', () => {
    const half = truncateBoosting(fit(LOSSES[2]!, 6), 3);
    expect(decodeBoosting(encodeBoosting(half))).toEqual(fit(LOSSES[2]!, 3));
  });

  it('is refused with any one byte changed, cut short anywhere, or with more behind it', () => {
    const bytes = encodeBoosting(fit(LOSSES[0]!, 1));
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 + (at % 255);
      expect(() => decodeBoosting(damaged)).toThrow(ModelFormatError);
      expect(() => decodeBoosting(bytes.subarray(0, at))).toThrow(ModelFormatError);
    }
    expect(() => decodeBoosting(new Uint8Array([...bytes, 0]))).toThrow(ModelFormatError);
  });

  it('with a right checksum but any word changed is refused or predicts without harm', () => {
    const bytes = encodeBoosting(fit(LOSSES[1]!, 2));
    fc.assert(
      fc.property(fc.nat(bytes.length / 4 - 1), fc.nat(0xffffffff), (word, value) => {
        let model: GradientBoosting;
        try {
          model = decodeBoosting(forge(bytes, (view) => view.setUint32(4 * word, value, true)));
        } catch (error) {
          expect(error).toBeInstanceOf(ModelFormatError);
          return;
        }
        const columns = model.features;
        if (columns < 1000) predictBoosting(model, { rows: 2, columns, values: new Float64Array(2 * columns) });
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('of another version is refused by its version', () => {
    const bytes = forge(encodeBoosting(fit(LOSSES[0]!, 1)), (view) => view.setUint32(8, 7, true));
    expect(() => decodeBoosting(bytes)).toThrow(/version 7/);
  });
});
