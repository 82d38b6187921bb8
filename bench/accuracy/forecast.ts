/**
 * Forecasts of real series by the recipe that the service trains with, at the origins of the peers in `baselines.json`, beside the best
 * peer of each set. Every choice (weights, fall-back, intervals) is made from what came before its origin.
 *
 * Run: node infra/local/run.mjs bench/accuracy/forecast.js   (DATA_DIR has the data sets, default ../shared/data)
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { fitSeriesForecaster } from '../../ml/forecast/forecast-series.js';
import type { ReplayedOrigin } from '../../ml/forecast/replay-choices.js';
import type { AccuracyRow } from './accuracy-row.js';
import { bestPeer, readBaselines } from './baselines.js';
import type { Baseline } from './baselines.js';

interface SeriesSet {
  set: string;
  values: Float64Array;
  seasons: number[];
  horizon: number;
}

/** The peers' origins: the last ten, one horizon apart; each peer knew the 4,032 values before. */
const PEER_ORIGINS = 10;
const PEER_HISTORY = 4032;
/** Ten origins one horizon apart, half-way ones between them, and as many before as a choice looks at. */
const ORIGINS = 52;

/**
 * Backtests the recipe on each set.
 * @param dataDir folder of the series and of `baselines.json`
 */
export async function measureForecasts(dataDir: string): Promise<AccuracyRow[]> {
  const baselines = readBaselines(dataDir).filter(({ section }) => section === 'forecast');
  return readSeries(dataDir).flatMap((set) => measure(set, baselines));
}

function measure({ set, values, seasons, horizon }: SeriesSet, baselines: readonly Baseline[]): AccuracyRow[] {
  const started = performance.now();
  const outcome = fitSeriesForecaster(values, {
    horizon,
    seasons,
    bounds: { lower: 0 },
    mostOrigins: ORIGINS,
    longestHistory: PEER_HISTORY,
  });
  const seconds = (performance.now() - started) / 1000;
  if (outcome.kind !== 'fitted') throw new Error(`${set} was not forecast: ${outcome.kind}`);
  const first = values.length - PEER_ORIGINS * horizon;
  const judged = outcome.replayed.filter(({ origin }) => origin >= first && (values.length - origin) % horizon === 0);
  if (judged.length !== PEER_ORIGINS) throw new Error(`${set} has ${judged.length} origins of ${PEER_ORIGINS}`);
  const { peer, value } = bestPeer(baselines, set, 'mase', false);
  const { model } = outcome;
  const members = model.shares.map(({ name, weight }) => `${name} ${weight.toFixed(2)}`).join(', ');
  const base = mean(judged.map(({ baseError }) => baseError));
  const row = { set, task: 'forecast', standardError: 0, higherIsBetter: false, limit: 0 };
  return [
    {
      ...row,
      metric: 'mase',
      ...meanWithError(judged.map(({ error }) => error)),
      peer,
      peerValue: value,
      // Peers are compared at ten origins of one series: a twentieth is far inside chance, and what the methods allow.
      limit: 0.05 * value,
      note: `seasonal naive ${base.toFixed(3)}; now ${members}; ${outcome.replayed.length} origins in ${seconds.toFixed(1)} s`,
    },
    coverageRow(set, judged, outcome.replayed, baselines),
  ];
}

/**
 * How far the share of values inside their 90 % interval is from 90 %, beside the nearest peer. Ours is measured at every origin that had
 * enough before it; the peers' ten are too few to tell 0.90 from 0.98, as their errors come in spells.
 */
function coverageRow(
  set: string,
  judged: readonly ReplayedOrigin[],
  replayed: readonly ReplayedOrigin[],
  baselines: readonly Baseline[],
): AccuracyRow {
  const shareOf = ({ covered, measured }: ReplayedOrigin): number => covered / measured;
  const calibrated = replayed.filter(({ intervals }) => intervals === 'conformal');
  const { ours: coverage, standardError } = meanWithError(calibrated.map(shareOf));
  const peers = baselines.filter((row) => row.set === set && typeof row['coverage'] === 'number');
  const distance = ({ coverage: share }: Baseline): number => Math.abs(Number(share) - 0.9);
  const nearest = peers.reduce((best, peer) => (distance(peer) < distance(best) ? peer : best));
  return {
    set,
    task: 'forecast',
    metric: '|cover-.9|',
    ours: Math.abs(coverage - 0.9),
    standardError,
    peer: nearest.model,
    peerValue: distance(nearest),
    higherIsBetter: false,
    // From 0.87 to 0.95 is what 90 % intervals promise.
    limit: coverage < 0.9 ? 0.03 : 0.05,
    note: `coverage ${coverage.toFixed(3)} at ${calibrated.length} origins, ${mean(judged.map(shareOf)).toFixed(3)} at the peers'; the peer's ${Number(nearest['coverage']).toFixed(3)}`,
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function meanWithError(values: readonly number[]): { ours: number; standardError: number } {
  const ours = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - ours) ** 2, 0) / (values.length - 1);
  return { ours, standardError: Math.sqrt(variance / values.length) };
}

function readSeries(dataDir: string): SeriesSet[] {
  const hourly = (file: string, column: string): Float64Array => meanOfGroups(readColumn(dataDir, file, column), 12);
  const hours = { seasons: [24, 168], horizon: 24 };
  const google = 'google_cluster_2019.csv.gz';
  const azure = 'azure_vm_2019.csv.gz';
  return [
    { set: 'google hourly avg_cpu h=24', values: hourly(google, 'avg_cpu'), ...hours },
    { set: 'google hourly avg_mem h=24', values: hourly(google, 'avg_mem'), ...hours },
    { set: 'azure hourly cpu_usage h=24', values: hourly(azure, 'cpu_usage'), ...hours },
    { set: 'azure hourly assigned_mem h=24', values: hourly(azure, 'assigned_mem'), ...hours },
    { set: 'elb requests hourly h=24', values: hourly('nab/elb_request_count_8c0756.csv.gz', 'value'), ...hours },
    {
      set: 'nyc_taxi half-hourly h=48',
      // The peers' origins end with value 9,000, as their figures of the seasonal naive forecast show.
      values: readColumn(dataDir, 'nab/nyc_taxi.csv.gz', 'value').slice(0, 9000),
      seasons: [48, 336],
      horizon: 48,
    },
  ];
}

function readColumn(dataDir: string, file: string, column: string): Float64Array {
  const [header = '', ...lines] = gunzipSync(readFileSync(join(dataDir, file)))
    .toString('utf8')
    .trim()
    .split('\n');
  const at = header.trim().split(',').indexOf(column);
  if (at < 0) throw new Error(`${file} has no column ${column}`);
  return Float64Array.from(lines, (line) => Number(line.trim().split(',')[at]));
}

function meanOfGroups(values: Float64Array, size: number): Float64Array {
  return Float64Array.from({ length: Math.floor(values.length / size) }, (_, k) =>
    mean([...values.subarray(k * size, (k + 1) * size)]),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rows = await measureForecasts(resolve(process.env['DATA_DIR'] ?? '../shared/data'));
  for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
}
