import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anomalyScore,
  anomalyScores,
  columnShares,
  fitAnomalyDetector,
  judgeRow,
} from '../../../ml/anomaly/anomaly-detector.js';
import { decodeDetector, encodeDetector } from '../../../ml/anomaly/anomaly-format.js';
import { conformalPValue, extendedPValue, falseAlarmRate } from '../../../ml/anomaly/conformal-p-value.js';
import { selectByFalseDiscoveryRate } from '../../../ml/evaluate/false-discovery-rate.js';
import { ecodScores, ecodTrainingScores, fitEcod } from '../../../ml/anomaly/ecod.js';
import { averagePathLength } from '../../../ml/anomaly/average-path-length.js';
import { fitIsolationForest, scoreIsolationForest } from '../../../ml/anomaly/isolation-forest.js';
import { rocArea } from '../../../ml/evaluate/roc.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { createPrng } from '../../../ml/random/prng.js';

function normalRows(rows: number, columns: number, seed: number, shift = 0): FeatureMatrix {
  const prng = createPrng(seed);
  return { rows, columns, values: Float64Array.from({ length: rows * columns }, () => prng.nextGaussian() + shift) };
}

const FOREST = { trees: 100, sampleSize: 256, seed: 1 };
const PARAMETERS = { seed: 1, sampleSizes: [64, 256] };

describe('an isolation forest', () => {
  it('measures paths against those of a search tree', () => {
    // c(2) = 1, c(3) = 2 (1 + 1/2) - 4/3.
    expect([averagePathLength(1), averagePathLength(2)]).toEqual([0, 1]);
    expect(averagePathLength(3)).toBeCloseTo(5 / 3, 12);
    // The series beyond a thousand goes on where the exact sums end.
    expect(averagePathLength(1002) - averagePathLength(1001)).toBeCloseTo(2 / 1001, 5);
  });

  it('cuts off rows far out at once, and ordinary ones late', () => {
    const forest = fitIsolationForest({ x: normalRows(2000, 4, 2), ...FOREST });
    const far = scoreIsolationForest(forest, normalRows(50, 4, 3, 6));
    const near = scoreIsolationForest(forest, normalRows(50, 4, 4));
    expect(Math.min(...far)).toBeGreaterThan(Math.max(...near));
  });

  it('takes constant columns, missing values and a single row', () => {
    const values = Float64Array.from([1, 1, 1, NaN, 2, 3]);
    expect(
      scoreIsolationForest(fitIsolationForest({ x: { rows: 3, columns: 2, values }, ...FOREST }), {
        rows: 3,
        columns: 2,
        values,
      }),
    ).toHaveLength(3);
    const one = { rows: 1, columns: 1, values: Float64Array.of(5) };
    expect([...scoreIsolationForest(fitIsolationForest({ x: one, ...FOREST }), one)]).toEqual([0.5]);
    expect(() => fitIsolationForest({ x: { rows: 0, columns: 1, values: new Float64Array(0) }, ...FOREST })).toThrow(
      RangeError,
    );
  });
});

describe('ECOD', () => {
  it('sums the logarithms of the larger tails, the longer tail by skewness', () => {
    // The tail of 10 is 1 in 4 on the right, that of 1 is 1 in 4 on the left; the skewness leaves both as they are.
    const x = { rows: 4, columns: 1, values: Float64Array.of(1, 2, 3, 10) };
    const expected = [Math.log(4), Math.log(2), Math.log(2), Math.log(4)];
    expect([...ecodTrainingScores(fitEcod(x), x)]).toEqual(
      expected.map((score) => expect.closeTo(score, 12) as number),
    );
  });

  it('does not change when a column is stretched by a growing function', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 5, maxLength: 40 });
    fc.assert(
      fc.property(values, (list) => {
        const x = { rows: list.length, columns: 1, values: Float64Array.from(list) };
        const doubled = { ...x, values: x.values.map((value) => 2 * value + 7) };
        expect([...ecodScores(fitEcod(doubled), doubled)]).toEqual([...ecodScores(fitEcod(x), x)]);
      }),
    );
  });

  it('goes on rising beyond what was seen, and counts a missing value as an ordinary one', () => {
    const model = fitEcod(normalRows(1000, 1, 5));
    const at = (value: number) => ecodScores(model, { rows: 1, columns: 1, values: Float64Array.of(value) })[0]!;
    expect(at(NaN)).toBe(model.columns[0]!.average);
    expect(at(8)).toBeGreaterThan(at(5));
    expect(at(-8)).toBeGreaterThan(at(-5));
  });
});

describe('the detector', () => {
  it('sees one value far out among ordinary ones, and an odd combination of ordinary ones', () => {
    const prng = createPrng(6);
    const rows = 4000;
    const values = new Float64Array(2 * rows);
    for (let row = 0; row < rows; row++) {
      values[row] = prng.nextGaussian();
      values[rows + row] = values[row]! + 0.1 * prng.nextGaussian();
    }
    const detector = fitAnomalyDetector({ rows, columns: 2, values }, PARAMETERS);
    const calibration = anomalyScores(detector, { rows, columns: 2, values }).sort();
    const p = (row: number[]) => conformalPValue(calibration, anomalyScore(detector, Float64Array.from(row)));
    expect(p([0, 0.05])).toBeGreaterThan(0.2);
    expect(p([0, 30])).toBeLessThan(0.001);
    expect(p([2.4, -2.4])).toBeLessThan(0.03);
  });

  it('names the column that is far out, its side, and its part', () => {
    const detector = fitAnomalyDetector(normalRows(1000, 3, 14), PARAMETERS);
    const { score, columns } = judgeRow(detector, [0.1, -6, NaN]);
    expect(score).toBe(anomalyScore(detector, [0.1, -6, NaN]));
    expect(columns.map(({ side }) => side)).toEqual([expect.anything(), 'low', 'high']);
    // Farther than any of a thousand values, and no farther than that can be said; nothing is known of the missing one.
    expect(columns[1]!.score).toBeCloseTo(Math.log10(1001), 9);
    expect(columns[2]!.score).toBe(0);
    const shares = columnShares(detector, [0.1, -6, NaN]);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(shares[1]).toBeGreaterThan(0.8);
  });

  it('gives the same score to a row wherever it stands, and to a matrix as to its rows', () => {
    const x = normalRows(300, 2, 15);
    const detector = fitAnomalyDetector(x, PARAMETERS);
    const scores = anomalyScores(detector, x);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 299 }), (row) => {
        expect(anomalyScore(detector, [x.values[row]!, x.values[300 + row]!])).toBe(scores[row]);
      }),
    );
  });

  it('takes one row, a constant column and columns of gaps', () => {
    const one = { rows: 1, columns: 3, values: Float64Array.of(5, NaN, 1) };
    const detector = fitAnomalyDetector(one, PARAMETERS);
    expect(Number.isFinite(anomalyScores(detector, one)[0]!)).toBe(true);
    expect([...anomalyScores(decodeDetector(encodeDetector(detector)), one)]).toEqual([
      ...anomalyScores(detector, one),
    ]);
    const infinite = { rows: 1, columns: 1, values: Float64Array.of(Infinity) };
    expect(() => fitAnomalyDetector(infinite, PARAMETERS)).toThrow(/column 0, row 0 is infinite/);
  });

  it('is the same to the bit for the same seed and after saving', () => {
    const x = normalRows(500, 3, 7);
    const detector = fitAnomalyDetector(x, PARAMETERS);
    const bytes = encodeDetector(detector);
    expect(Buffer.compare(encodeDetector(fitAnomalyDetector(x, PARAMETERS)), bytes)).toBe(0);
    expect(Buffer.compare(encodeDetector(decodeDetector(bytes)), bytes)).toBe(0);
    expect([...anomalyScores(decodeDetector(bytes), x)]).toEqual([...anomalyScores(detector, x)]);
  });

  it('refuses a file with any byte changed or cut off', () => {
    const bytes = encodeDetector(fitAnomalyDetector(normalRows(60, 2, 8), { ...PARAMETERS, trees: 3 }));
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x40;
      expect(() => decodeDetector(damaged), `byte ${at}`).toThrow(/not a readable anomaly detector/);
    }
    expect(() => decodeDetector(bytes.subarray(0, 30))).toThrow(/not a readable/);
    expect(() => decodeDetector(bytes.subarray(0, bytes.length - 1))).toThrow(/not a readable/);
  });

  it('finds planted anomalies', () => {
    const detector = fitAnomalyDetector(normalRows(3000, 5, 9), PARAMETERS);
    const scores = Float64Array.from([
      ...anomalyScores(detector, normalRows(500, 5, 10)),
      ...anomalyScores(detector, normalRows(50, 5, 11, 2.5)),
    ]);
    expect(
      rocArea(
        scores,
        Uint8Array.from(scores, (_, at) => (at < 500 ? 0 : 1)),
      ).area,
    ).toBeGreaterThan(0.95);
  });
});

describe('p-values', () => {
  it('go on falling beyond all calibration rows, in proportion, and are the conformal ones up to there', () => {
    const calibration = Float64Array.of(1, 2, 3, 4);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 4, noNaN: true }), (score) => {
        expect(extendedPValue(calibration, score)).toBe(conformalPValue(calibration, score));
      }),
    );
    expect(extendedPValue(calibration, 40)).toBeCloseTo(0.02, 12);
    expect(extendedPValue(new Float64Array(5), 3)).toBeCloseTo(1 / 6, 12);
  });

  it('count the row itself in', () => {
    const calibration = Float64Array.of(1, 2, 3, 4);
    expect([conformalPValue(calibration, 5), conformalPValue(calibration, 4), conformalPValue(calibration, 0)]).toEqual(
      [0.2, 0.4, 1],
    );
  });

  it('of normal rows fall below a as often as a, over many calibrations', () => {
    let alarms = 0;
    const trials = 4000;
    const prng = createPrng(12);
    for (let trial = 0; trial < trials; trial++) {
      const calibration = Float64Array.from({ length: 99 }, () => prng.nextGaussian()).sort();
      if (conformalPValue(calibration, prng.nextGaussian()) <= 0.1) alarms++;
    }
    // Exactly 10 % in expectation; five standard errors.
    expect(Math.abs(alarms / trials - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / trials));
  });

  it('keep the share of false reports among all at the stated rate, and find nearly all anomalies', () => {
    let falseShare = 0;
    let found = 0;
    const trials = 100;
    for (let trial = 0; trial < trials; trial++) {
      const detector = fitAnomalyDetector(normalRows(1000, 4, 10_000 + trial), {
        ...PARAMETERS,
        trees: 50,
      });
      const calibration = anomalyScores(detector, normalRows(1000, 4, 20_000 + trial)).sort();
      const scores = [
        ...anomalyScores(detector, normalRows(450, 4, 30_000 + trial)),
        ...anomalyScores(detector, normalRows(50, 4, 40_000 + trial, 4)),
      ];
      const reported = selectByFalseDiscoveryRate(
        Float64Array.from(scores, (score) => conformalPValue(calibration, score)),
        0.1,
      );
      const all = reported.reduce((sum, one) => sum + one, 0);
      const right = reported.subarray(450).reduce((sum, one) => sum + one, 0);
      falseShare += all > 0 ? (all - right) / all / trials : 0;
      found += right / 50 / trials;
    }
    // At most ten in a hundred by the theorem: two more are six standard errors of 100 trials, and the seeds are fixed.
    expect(falseShare).toBeLessThan(0.12);
    expect(found).toBeGreaterThan(0.97);
  });

  it('map the sensitivity to the rates that the documents state', () => {
    expect(falseAlarmRate(0)).toBeCloseTo(1 / 2000, 5);
    expect(falseAlarmRate(0.5)).toBeCloseTo(0.01, 12);
    expect(falseAlarmRate(1)).toBeCloseTo(0.2, 2);
  });
});
