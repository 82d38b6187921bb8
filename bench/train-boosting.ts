/**
 * Fits gradient boosting of 100 trees of 31 leaves, ours and LightGBM's in turn, each in a fresh process on the same data with
 * the same threads and bins, and prints the medians, the ratios of wall time, processor time and peak memory, and both AUCs, as
 * JSON lines. On a machine that does other work too, the ratio of processor times is the one to believe.
 *
 * Run: node dist/bench/train-boosting.js [--rows 100000,1000000] [--features 20] [--bins 255,63] [--threads 1] [--repeats 3] [--ours-only]
 * PEERS_DIR has train_trees.py (default ../shared/peers), PEERS_PYTHON is a Python with LightGBM and scikit-learn
 * (default ~/.cache/peers-venv/bin/python).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
} from '../ml/ensemble/gradient-boosting.js';
import { rocArea } from '../ml/evaluate/roc.js';
import type { FeatureMatrix } from '../ml/matrix.js';
import { createTreeThreads } from '../services/training/tree-threads.js';

interface CaseResult {
  fitSeconds: number;
  cpuSeconds: number;
  auc: number;
  peakRssMib: number;
}

interface Case {
  rows: number;
  features: number;
  bins: number;
  threads: number;
}

const peersDir = resolve(process.env['PEERS_DIR'] ?? '../shared/peers');
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');

/** Reads rows in stretches, so that the matrix is never in memory twice. */
function readMatrix(folder: string, part: string, columns: number): { x: FeatureMatrix; y: Float64Array } {
  const file = openSync(join(folder, `${part}.x.f64`), 'r');
  const rows = fstatSync(file).size / 8 / columns;
  const values = new Float64Array(rows * columns);
  const stretch = new Float64Array(4096 * columns);
  for (let start = 0; start < rows; start += 4096) {
    const count = Math.min(4096, rows - start);
    readSync(file, stretch, 0, count * columns * 8, null);
    for (let row = 0; row < count; row++) {
      for (let c = 0; c < columns; c++) values[c * rows + start + row] = stretch[row * columns + c]!;
    }
  }
  closeSync(file);
  return { x: { rows, columns, values }, y: Float64Array.from(readFileSync(join(folder, `${part}.y.u8`))) };
}

/** One fit of ours in this process. */
function runCase(folder: string, { features, bins, threads }: Case): CaseResult {
  const train = readMatrix(folder, 'train', features);
  const loss = { kind: 'logistic' } as const;
  const parameters = { ...defaultGradientBoostingParameters(loss), nEstimators: 100, maxLeaves: 31, maxBins: bins };
  const crew = threads > 1 ? createTreeThreads(threads) : undefined;
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const model = fitGradientBoosting({ ...train, loss, parameters }, crew);
  const fitSeconds = (performance.now() - before) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const peakRssMib = process.resourceUsage().maxRSS / 1024;
  crew?.close();
  const test = readMatrix(folder, 'test', features);
  const probabilities = predictBoosting(model, test.x);
  const positive = Float64Array.from(test.y, (_, row) => probabilities[2 * row + 1]!);
  const { area } = rocArea(positive, Uint8Array.from(test.y));
  return { fitSeconds, cpuSeconds: (cpu.user + cpu.system) / 1e6, auc: area, peakRssMib };
}

function run(command: string, args: string[]): string {
  const environment = { ...process.env };
  // Two settings that slow NumPy down where a machine sets them.
  delete environment['OPENBLAS_CORETYPE'];
  delete environment['OPENBLAS_L2_SIZE'];
  const result = spawnSync(command, args, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${String(result.status)}`);
  return result.stdout;
}

function runOurs(folder: string, { features, bins, threads }: Case): CaseResult {
  const about = ['--features', String(features), '--bins', String(bins), '--threads', String(threads)];
  return JSON.parse(run(process.execPath, [fileURLToPath(import.meta.url), '--case', folder, ...about])) as CaseResult;
}

function runPeer({ rows, features, bins, threads }: Case): CaseResult {
  const model = bins === 63 ? 'lightgbm-bins63' : 'lightgbm';
  const about = ['--rows', String(rows), '--features', String(features), '--threads', String(threads)];
  const output = run(python, [join(peersDir, 'train_trees.py'), ...about, '--models', model, '--repeats', '1']);
  const figures = new Map<string, number>();
  for (const line of output.trim().split('\n')) {
    const { name, value } = JSON.parse(line) as { name: string; value: number };
    figures.set(name.replace('train.', ''), value);
  }
  const figure = (name: string): number => figures.get(name) ?? NaN;
  return {
    fitSeconds: figure('fit_seconds'),
    cpuSeconds: figure('fit_cpu_seconds'),
    auc: figure('auc'),
    peakRssMib: figure('peak_rss_mib'),
  };
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function medians(results: CaseResult[]): CaseResult {
  const of = (key: keyof CaseResult): number => median(results.map((result) => result[key]));
  return { fitSeconds: of('fitSeconds'), cpuSeconds: of('cpuSeconds'), auc: of('auc'), peakRssMib: of('peakRssMib') };
}

function compare(folder: string, about: Case, repeats: number, isAlone: boolean): void {
  const ours: CaseResult[] = [];
  const peer: CaseResult[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    ours.push(runOurs(folder, about));
    if (!isAlone) peer.push(runPeer(about));
  }
  const parameters = { ...about, trees: 100, leaves: 31, repeats };
  const mine = medians(ours);
  console.log(JSON.stringify({ name: 'train.boosting', learner: 'ours', ...parameters, ...mine }));
  if (isAlone) return;
  const theirs = medians(peer);
  console.log(JSON.stringify({ name: 'train.boosting', learner: 'lightgbm', ...parameters, ...theirs }));
  const ratios = {
    wall: mine.fitSeconds / theirs.fitSeconds,
    cpu: mine.cpuSeconds / theirs.cpuSeconds,
    peakRss: mine.peakRssMib / theirs.peakRssMib,
    aucDifference: mine.auc - theirs.auc,
  };
  console.log(JSON.stringify({ name: 'train.boosting.ratio', ...parameters, ...ratios }));
}

function main(): void {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '100000,1000000' },
      features: { type: 'string', default: '20' },
      bins: { type: 'string', default: '255,63' },
      threads: { type: 'string', default: '1' },
      repeats: { type: 'string', default: '3' },
      case: { type: 'string' },
      'ours-only': { type: 'boolean', default: false },
    },
  });
  const numbers = (list: string): number[] => list.split(',').map(Number);
  const features = Number(values.features);
  if (values.case) {
    const about = { rows: 0, features, bins: Number(values.bins), threads: Number(values.threads) };
    return console.log(JSON.stringify(runCase(values.case, about)));
  }
  if (!existsSync(join(peersDir, 'train_trees.py')) || !existsSync(python)) {
    console.error(
      `SKIPPED: needs ${join(peersDir, 'train_trees.py')} (set PEERS_DIR) and ${python} (set PEERS_PYTHON)`,
    );
    process.exitCode = 3;
    return;
  }
  for (const rows of numbers(values.rows)) {
    const folder = mkdtempSync(join(tmpdir(), 'train-boosting-'));
    try {
      run(python, [join(peersDir, 'train_trees.py'), '--export', folder, String(rows), String(features)]);
      for (const bins of numbers(values.bins)) {
        for (const threads of numbers(values.threads))
          compare(folder, { rows, features, bins, threads }, Number(values.repeats), values['ours-only']);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

main();
