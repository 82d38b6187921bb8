import { describe, expect, it } from 'vitest';
import { nabScore } from '../../../bench/accuracy/nab-score.js';
import { anomalyScores, fitAnomalyDetector } from '../../../ml/anomaly/anomaly-detector.js';
import { ecodTrainingScores, fitEcod, scoreEcodRow } from '../../../ml/anomaly/ecod.js';
import { fitIsolationForest, scoreIsolationForest } from '../../../ml/anomaly/isolation-forest.js';
import { rocArea } from '../../../ml/evaluate/roc.js';
import type { FeatureMatrix } from '../../../ml/matrix.js';
import { readGolden } from './golden.js';

interface Table {
  columns: number;
  rows: number[];
  odd: number;
  ecodAuc: number;
  forestAuc: { mean: number; deviation: number };
}
const golden = readGolden<{
  ecod: { columns: number; rows: number[]; scores: number[]; newRows: number[]; newScores: number[] };
  wdbc: Table;
  wine: Table;
  nab: {
    series: { scores: number[]; windows: { first: number; last: number }[] }[];
    score: number;
    threshold: number;
    windows: number;
  };
}>('anomaly.json');

/** From numbers row by row. */
function matrixFrom(list: readonly number[], columns: number): FeatureMatrix {
  const rows = list.length / columns;
  const values = new Float64Array(list.length);
  list.forEach((value, at) => (values[(at % columns) * rows + Math.floor(at / columns)] = value));
  return { rows, columns, values };
}

describe('ECOD beside PyOD', () => {
  const { columns, rows, scores, newRows, newScores } = golden.ecod;
  const x = matrixFrom(rows, columns);
  const ecod = fitEcod(x);

  it('scores the rows it was fitted on alike, with ties, a constant column and every kind of skew', () => {
    // The same sums of the same logarithms: only their order differs.
    ecodTrainingScores(ecod, x).forEach((score, row) => expect(score, `row ${row}`).toBeCloseTo(scores[row]!, 9));
    expect(ecod.columns.map(({ skew }) => skew)).toContain(0);
    expect(ecod.columns.map(({ skew }) => skew)).toContain(-1);
  });

  it('scores single further rows alike within what was seen', () => {
    newScores.forEach((score, at) => {
      const parts = new Float64Array(columns);
      const ours = scoreEcodRow(ecod, newRows.slice(at * columns, (at + 1) * columns), parts);
      expect(ours, `row ${at}`).toBeCloseTo(score, 9);
      expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(ours, 12);
    });
  });

  it('stays within one part in a hundred with a table that keeps few values', () => {
    const values = Float64Array.from({ length: 5000 }, (_, at) => Math.tan((at + 0.5) / 5000 - 0.5) ** 3);
    const column = { rows: 5000, columns: 1, values };
    const full = ecodTrainingScores(fitEcod(column, { maxKnots: 8192 }), column);
    // Up to three values lie between two of the 1,024 kept in the middle of 3,976 others: less than 2 in 512 there.
    ecodTrainingScores(fitEcod(column, { maxKnots: 2048 }), column).forEach((score, row) =>
      expect(Math.abs(score - full[row]!)).toBeLessThan(0.01),
    );
  });
});

describe.each(['wdbc', 'wine'] as const)('%s with ten odd rows', (name) => {
  const table = golden[name];
  const x = matrixFrom(table.rows, table.columns);
  const isOdd = Uint8Array.from({ length: x.rows }, (_, row) => (row >= x.rows - table.odd ? 1 : 0));
  const areaOf = (scores: Float64Array) => rocArea(scores, isOdd).area;

  it('has the AUC of PyOD with ECOD', () => {
    expect(areaOf(ecodTrainingScores(fitEcod(x), x))).toBeCloseTo(table.ecodAuc, 9);
  });

  it('has the AUC of scikit-learn with an isolation forest, as near as seeds differ', () => {
    const areas = Array.from({ length: 5 }, (_, seed) =>
      areaOf(scoreIsolationForest(fitIsolationForest({ x, seed }), x)),
    );
    const mean = areas.reduce((sum, area) => sum + area, 0) / areas.length;
    // Four standard errors of a mean over five seeds.
    expect(Math.abs(mean - table.forestAuc.mean)).toBeLessThan((4 * table.forestAuc.deviation) / Math.sqrt(5));
  });

  it('has with all views together at most 0.02 less than the better of both', () => {
    const area = areaOf(anomalyScores(fitAnomalyDetector(x, { seed: 0 }), x, { isTraining: true }));
    expect(area).toBeGreaterThan(Math.max(table.ecodAuc, table.forestAuc.mean) - 0.02);
  });
});

describe('the NAB score', () => {
  it("is that of the benchmark's own program, at the same threshold", () => {
    const { series, score, threshold, windows } = golden.nab;
    const ours = nabScore(series);
    expect(ours.windows).toBe(windows);
    expect(ours.threshold).toBe(threshold);
    expect(ours.score).toBeCloseTo(score, 9);
  });

  it('is 0 for never alarming, and 100 for each window found at once without a false alarm', () => {
    const windows = [{ first: 500, last: 600 }];
    const perfect = Float64Array.from({ length: 1000 }, (_, row) => (row === 500 ? 1 : 0));
    expect(nabScore([{ scores: perfect, windows }]).score).toBeCloseTo(100, 0);
    expect(nabScore([{ scores: new Float64Array(1000), windows }]).score).toBe(0);
  });
});
