import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyCalibration, fitCalibration } from '../../../ml/calibrate/calibration.js';
import { conformalInterval, fitResidualQuantiles } from '../../../ml/calibrate/conformal.js';
import { applyIsotonic, fitIsotonic } from '../../../ml/calibrate/isotonic.js';
import { createPrng } from '../../../ml/random/prng.js';
import { readGolden } from './golden.js';

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** Rows whose true probability is sigmoid(z) and whose stated one is `state(z)`. */
function stated(rows: number, seed: number, state: (z: number) => number) {
  const prng = createPrng(seed);
  const probabilities = new Float64Array(2 * rows);
  const labels = new Float64Array(rows);
  const truth = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const z = 1.5 * prng.nextGaussian() - 0.5;
    probabilities[2 * row + 1] = state(z);
    probabilities[2 * row] = 1 - state(z);
    truth[row] = sigmoid(z);
    labels[row] = prng.next() < truth[row]! ? 1 : 0;
  }
  return { probabilities, labels, truth };
}

function meanGap(calibration: ReturnType<typeof fitCalibration>, rows: ReturnType<typeof stated>): number {
  const out = new Float64Array(2);
  let gap = 0;
  rows.truth.forEach((truth, row) => {
    applyCalibration(calibration, rows.probabilities.subarray(2 * row, 2 * row + 2), out);
    gap += Math.abs(out[1]! - truth) / rows.truth.length;
  });
  return gap;
}

describe('a calibration', () => {
  it('leaves probabilities alone that are right, nearly always', () => {
    let touched = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { probabilities, labels } = stated(400, seed, sigmoid);
      if (fitCalibration(probabilities, labels, 2, { seed }).curves[0]!.method !== 'identity') touched++;
    }
    // Meant: about 2 x 2.5 % of 60 = 3.
    expect(touched).toBeLessThanOrEqual(6);
  });

  it('takes the logistic curve where odds are exaggerated', () => {
    const calibration = fitCalibration(...spread(stated(3000, 1, (z) => sigmoid(3 * z + 1))), 2, { seed: 1 });
    expect(calibration.curves[0]).toMatchObject({ method: 'platt' });
    expect(
      meanGap(
        calibration,
        stated(2000, 2, (z) => sigmoid(3 * z + 1)),
      ),
    ).toBeLessThan(0.015);
  });

  it('takes the isotonic curve where the distortion has another shape', () => {
    const distort = (z: number) => (z < 0.3 ? 0.4 + 0.001 * sigmoid(z) : 0.5 + 0.4 * sigmoid(4 * z - 4));
    const calibration = fitCalibration(...spread(stated(6000, 1, distort)), 2, { seed: 1 });
    expect(calibration.curves[0]!.method).toBe('isotonic');
    expect(meanGap(calibration, stated(2000, 2, distort))).toBeLessThan(0.04);
  });

  it('never changes the order of two probabilities', () => {
    const { probabilities, labels } = stated(800, 4, (z) => sigmoid(2.5 * z));
    const calibration = fitCalibration(probabilities, labels, 2, { seed: 1 });
    const [a, b] = [new Float64Array(2), new Float64Array(2)];
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (p, q) => {
        applyCalibration(calibration, Float64Array.of(1 - p, p), a);
        applyCalibration(calibration, Float64Array.of(1 - q, q), b);
        if (p <= q) expect(a[1]!).toBeLessThanOrEqual(b[1]! + 1e-12);
        expect(a[0]! + a[1]!).toBeCloseTo(1, 12);
      }),
    );
  });

  it('sums to 1 over three classes, in place too, and survives JSON', () => {
    const prng = createPrng(9);
    const rows = 1500;
    const labels = Float64Array.from({ length: rows }, () => prng.nextInt(3));
    const probabilities = new Float64Array(3 * rows);
    labels.forEach((label, row) => {
      const weights = [0, 1, 2].map((c) => Math.exp(3 * prng.nextGaussian() + (c === label ? 1 : 0)));
      const sum = weights[0]! + weights[1]! + weights[2]!;
      weights.forEach((weight, c) => (probabilities[3 * row + c] = weight / sum));
    });
    const calibration = fitCalibration(probabilities, labels, 3, { seed: 1 });
    expect(calibration.curves.some((curve) => curve.method !== 'identity')).toBe(true);
    const copy = JSON.parse(JSON.stringify(calibration)) as typeof calibration;
    const row = probabilities.slice(0, 3);
    const out = new Float64Array(3);
    applyCalibration(calibration, row, out);
    applyCalibration(copy, row, row);
    expect(row).toEqual(out);
    expect(out[0]! + out[1]! + out[2]!).toBeCloseTo(1, 12);
  });

  it('is identity for few rows, one class or none', () => {
    for (const rows of [0, 1, 30]) {
      const calibration = fitCalibration(new Float64Array(2 * rows).fill(0.5), new Float64Array(rows), 2, { seed: 1 });
      expect(calibration.curves).toEqual([{ method: 'identity' }]);
    }
  });
});

function spread({ probabilities, labels }: ReturnType<typeof stated>): [Float64Array, Float64Array] {
  return [probabilities, labels];
}

describe('an isotonic curve', () => {
  const golden = readGolden<{ cases: { x: number[]; y: number[]; at: number[]; answers: number[] }[] }>(
    'isotonic.json',
  );

  it.each(golden.cases.map((_, i) => i))('equals that of scikit-learn (case %i)', (i) => {
    const { x, y, at, answers } = golden.cases[i]!;
    const curve = fitIsotonic(Float64Array.from(x), Float64Array.from(y));
    // Pools are means of the same rows in another order of summing.
    at.forEach((value, j) => expect(applyIsotonic(curve, value)).toBeCloseTo(answers[j]!, 11));
  });

  it('never descends', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: -5, max: 5 })), { minLength: 1 }),
        (pairs) => {
          const { x, y } = fitIsotonic(
            Float64Array.from(pairs, ([a]) => a),
            Float64Array.from(pairs, ([, b]) => b),
          );
          for (let i = 1; i < x.length; i++) {
            expect(x[i]!).toBeGreaterThan(x[i - 1]!);
            expect(y[i]!).toBeGreaterThanOrEqual(y[i - 1]!);
          }
        },
      ),
    );
  });
});

describe('conformal intervals', () => {
  it('hold a new value as often as promised, whatever the errors', () => {
    const prng = createPrng(31);
    let held = 0;
    for (let run = 0; run < 2000; run++) {
      const residuals = Float64Array.from(
        { length: 19 },
        () => Math.exp(prng.nextGaussian()) * (prng.next() < 0.5 ? -1 : 1),
      );
      const { upper } = conformalInterval(residuals, 0.1)!;
      if (Math.exp(prng.nextGaussian()) <= upper) held++;
    }
    // 0.9 exactly for 19 rows; three standard errors of 2,000 runs are 2 points.
    expect(Math.abs(held / 2000 - 0.9)).toBeLessThan(0.02);
  });

  it('are not given for fewer rows than their level needs', () => {
    expect(conformalInterval(new Float64Array(8), 0.1)).toBeNull();
    expect(conformalInterval(Float64Array.of(1, -2, 3, 4, 5, 6, 7, 8, -9), 0.1)).toEqual({ lower: -9, upper: 9 });
    expect(fitResidualQuantiles(new Float64Array(9).fill(1)).halfWidths).toEqual({
      '0.5': 1,
      '0.8': 1,
      '0.9': 1,
      '0.95': null,
    });
  });
});
