import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { anomalyScores, fitAnomalyDetector, type AnomalyDetector } from '../../ml/anomaly/anomaly-detector.js';
import { SeriesDetector } from '../../ml/anomaly/series-detector.js';
import { averagePrecision } from '../../ml/evaluate/metrics.js';
import { rocArea } from '../../ml/evaluate/roc.js';
import type { FeatureMatrix } from '../../ml/matrix.js';
import { fitReconstruction } from '../../services/kinds/anomaly-detection/fit-reconstruction.js';
import type { TrainingPlan } from '../../services/training/training-plan.js';
import type { AccuracyRow } from './accuracy-row.js';
import { bestPeer, readBaselines, type Baseline } from './baselines.js';
import { nabScore, probationOf, type NabSeries } from './nab-score.js';

const SETS = ['annthyroid', 'smtp', 'satellite'] as const;
/** The views of a detector are drawn; the mean over these seeds is reported, and their spread is part of the standard error. */
const SEEDS = [0, 1, 2, 3, 4];
/** An autoencoder takes as long as a hundred forests. */
const SEEDS_OF_AUTOENCODER = [0, 1];
/** Differences below it are those of two runs of the same isolation forest. */
const LIMIT = 0.02;

/**
 * Rows and series on the labelled sets, without a look at a label. Each table is fitted and scored as a whole, as the peers did.
 * A series is watched value by value, so that each score knows the past only; the peers' detectors were fitted on the first rows.
 * @param dataDir the folder with `anomaly/`, `nab/` and `nab_more/`
 * @param options.algorithm `autoencoder` for what such an entry has besides, on the tables alone
 */
export async function measureAnomalies(dataDir: string, options: { algorithm?: string } = {}): Promise<AccuracyRow[]> {
  const baselines = readBaselines(dataDir);
  const hasAutoencoder = options.algorithm === 'autoencoder';
  const tables: AccuracyRow[] = [];
  for (const set of SETS) tables.push(...(await measureTable(dataDir, set, baselines, hasAutoencoder)));
  return hasAutoencoder ? tables : [...tables, ...measureSeries(dataDir, baselines)];
}

async function withReconstruction(detector: AnomalyDetector, x: FeatureMatrix, seed: number): Promise<AnomalyDetector> {
  const plan = { seed, settings: {}, hyperparameters: {} } as unknown as TrainingPlan;
  const { view } = await fitReconstruction(plan, x, () => {});
  return { ...detector, reconstruction: view };
}

async function measureTable(
  dataDir: string,
  set: string,
  baselines: readonly Baseline[],
  hasAutoencoder: boolean,
): Promise<AccuracyRow[]> {
  const seeds = hasAutoencoder ? SEEDS_OF_AUTOENCODER : SEEDS;
  const { x, isAnomaly } = readTable(join(dataDir, 'anomaly', `${set}.csv.gz`));
  const areas: number[] = [];
  const precisions: number[] = [];
  let sampling = 0;
  for (const seed of seeds) {
    const views = fitAnomalyDetector(x, { seed });
    const detector = hasAutoencoder ? await withReconstruction(views, x, seed) : views;
    const scores = anomalyScores(detector, x, { isTraining: true });
    const { area, influence } = rocArea(scores, isAnomaly);
    areas.push(area);
    precisions.push(averagePrecision(scores, isAnomaly));
    sampling = Math.max(sampling, Math.sqrt(influence.reduce((sum, one) => sum + one ** 2, 0)));
  }
  const row = (metric: string, figure: string, values: number[], error: number): AccuracyRow => {
    const { peer, value } = bestPeer(baselines, set, figure, true);
    return {
      set,
      task: 'rows without labels',
      metric,
      ours: mean(values),
      standardError: error,
      peer,
      peerValue: value,
      higherIsBetter: true,
      limit: LIMIT,
      note: `over ${seeds.length} seeds ${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`,
    };
  };
  return [
    row('AUC', 'auc', areas, Math.hypot(sampling, deviation(areas))),
    row('AP', 'average_precision', precisions, deviation(precisions)),
  ];
}

function measureSeries(dataDir: string, baselines: readonly Baseline[]): AccuracyRow[] {
  const first = readSeries(dataDir, 'nab');
  const all = [...first, ...readSeries(dataDir, 'nab_more')];
  const judged = new Map(all.map((series) => [series, watch(series)]));
  return [['nab (13)', first] as const, ['nab + nab_more (24)', all] as const].flatMap(([set, list]) => {
    const series = list.map((one) => judged.get(one)!);
    const { score, windows } = nabScore(series.map(({ alarms, windows: own }) => ({ scores: alarms, windows: own })));
    const areas = series.map(meanArea).filter((area) => !Number.isNaN(area));
    const shared = { set, task: 'series', higherIsBetter: true };
    const peer = bestPeer(baselines, set, 'nab_score', true);
    const areaPeer = bestPeer(baselines, set, 'mean_auc', true);
    return [
      {
        ...shared,
        metric: 'NAB',
        ours: score,
        standardError: jackknife(series),
        peer: peer.peer,
        peerValue: peer.value,
        limit: 0,
        note: `${windows} windows after the probation, one threshold for all series`,
      },
      {
        ...shared,
        metric: 'mean AUC',
        ours: mean(areas),
        standardError: deviation(areas) / Math.sqrt(areas.length),
        peer: areaPeer.peer,
        peerValue: areaPeer.value,
        limit: LIMIT,
      },
    ];
  });
}

interface Series {
  times: Float64Array;
  values: Float64Array;
  windows: { first: number; last: number }[];
}

interface WatchedSeries {
  surprises: Float64Array;
  /** The same, with 0 where an alarm would repeat one shortly before. */
  alarms: Float64Array;
  windows: { first: number; last: number }[];
}

function watch({ times, values, windows }: Series): WatchedSeries {
  const detector = new SeriesDetector();
  const surprises = new Float64Array(values.length);
  const alarms = new Float64Array(values.length);
  values.forEach((value, row) => {
    const { surprise, isRepeat } = detector.push([value], times[row]!);
    surprises[row] = surprise;
    alarms[row] = isRepeat ? 0 : surprise;
  });
  return { surprises, alarms, windows };
}

function meanArea({ surprises, windows }: WatchedSeries): number {
  const from = probationOf(surprises.length);
  const labels = Uint8Array.from(surprises, (_, row) =>
    windows.some(({ first, last }) => row >= first && row <= last) ? 1 : 0,
  );
  return rocArea(surprises.subarray(from), labels.subarray(from)).area;
}

/** The standard error of the NAB score over series: each is left out once. */
function jackknife(series: readonly WatchedSeries[]): number {
  const judged: NabSeries[] = series.map(({ alarms, windows }) => ({ scores: alarms, windows }));
  const scores = judged.map((_, left) => nabScore(judged.filter((__, at) => at !== left)).score);
  const n = scores.length;
  return deviation(scores) * Math.sqrt(((n - 1) * (n - 1)) / n);
}

function readTable(path: string): { x: FeatureMatrix; isAnomaly: Uint8Array } {
  const cells = readLines(path).map((line) => line.split(',').map(Number));
  const rows = cells.length;
  const columns = cells[0]!.length - 1;
  const values = new Float64Array(rows * columns);
  cells.forEach((row, at) => {
    for (let column = 0; column < columns; column++) values[column * rows + at] = row[column]!;
  });
  return { x: { rows, columns, values }, isAnomaly: Uint8Array.from(cells, (row) => (row[columns]! > 0 ? 1 : 0)) };
}

function readSeries(dataDir: string, folder: string): Series[] {
  const labelled = JSON.parse(readFileSync(join(dataDir, 'nab', 'combined_windows.json'), 'utf8')) as Record<
    string,
    [string, string][]
  >;
  const files = readdirSync(join(dataDir, folder)).filter((file) => file.endsWith('.csv.gz'));
  return files.sort().map((file) => {
    const cells = readLines(join(dataDir, folder, file)).map((line) => line.split(','));
    const times = Float64Array.from(cells, ([time]) => Date.parse(`${time!.replace(' ', 'T')}Z`));
    const name = Object.keys(labelled).find((key) => key.endsWith(`/${file.slice(0, -3)}`));
    const windows = (name ? labelled[name]! : []).map(([from, to]) => {
      const [start, end] = [from, to].map((time) => Date.parse(`${time.replace(' ', 'T')}Z`)) as [number, number];
      const inside = Array.from(times.keys()).filter((row) => times[row]! >= start && times[row]! <= end);
      return { first: inside[0]!, last: inside.at(-1)! };
    });
    windows.sort((a, b) => a.first - b.first);
    return { times, values: Float64Array.from(cells, ([, value]) => Number(value)), windows };
  });
}

/** The lines after the head of a compressed file. */
function readLines(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('latin1').trim().split(/\r?\n/).slice(1);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}
