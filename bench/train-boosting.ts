/**
 * Fits gradient boosting of 100 trees of 31 leaves, ours and LightGBM's in turn, each in a fresh process on the same data with
 * the same threads and bins, and prints the medians, the ratios of wall time, processor time and peak memory, and both AUCs, as
 * JSON lines. On a machine that does other work too, the ratio of processor times is the one to believe.
 *
 * Run: node dist/bench/train-boosting.js [--rows 100000,1000000] [--features 20] [--bins 255,63] [--threads 1] [--repeats 3] [--ours-only]
 * PEERS_DIR has train_trees.py (default ../shared/peers), PEERS_PYTHON is a Python with LightGBM and scikit-learn
 * (default ~/.cache/peers-venv/bin/python).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
} from '../ml/ensemble/gradient-boosting.js';
import { rocArea } from '../ml/evaluate/roc.js';
import { createTreeThreads } from '../services/training/tree-threads.js';
import { exportData, hasPeers, medians, readMatrix, run, runPeer, type CaseResult } from './training/peer-fit.js';

interface Case {
  rows: number;
  features: number;
  bins: number;
  threads: number;
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

function runOurs(folder: string, { features, bins, threads }: Case): CaseResult {
  const about = ['--features', String(features), '--bins', String(bins), '--threads', String(threads)];
  return JSON.parse(run(process.execPath, [fileURLToPath(import.meta.url), '--case', folder, ...about])) as CaseResult;
}

function compare(folder: string, about: Case, repeats: number, isAlone: boolean): void {
  const ours: CaseResult[] = [];
  const peer: CaseResult[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    ours.push(runOurs(folder, about));
    if (!isAlone) peer.push(runPeer(about.bins === 63 ? 'lightgbm-bins63' : 'lightgbm', about));
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
  if (!hasPeers()) return;
  for (const rows of numbers(values.rows)) {
    const folder = mkdtempSync(join(tmpdir(), 'train-boosting-'));
    try {
      exportData(folder, rows, features);
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
