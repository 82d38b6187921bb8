/**
 * Fits a random forest of 100 trees of depth 10 on one thread, ours and scikit-learn's in turn, each in a fresh process on the
 * same data, and prints the medians, their ratio and both AUCs as JSON lines.
 *
 * Run: node dist/bench/train-forest.js [--rows 100000] [--features 20] [--repeats 3] [--ours-only]
 * PEERS_DIR has train_trees.py (default ../shared/peers), PEERS_PYTHON is a Python with scikit-learn
 * (default ~/.cache/peers-venv/bin/python).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultRandomForestParameters, fitRandomForest, predictForest } from '../ml/ensemble/random-forest.js';
import { rocArea } from '../ml/evaluate/roc.js';
import { exportData, hasPeers, medians, readMatrix, run, runPeer, type CaseResult } from './training/peer-fit.js';

/** One fit of ours in this process. */
function runCase(folder: string, columns: number): CaseResult {
  const train = readMatrix(folder, 'train', columns);
  const test = readMatrix(folder, 'test', columns);
  const task = { kind: 'classification', classes: 2 } as const;
  const parameters = { ...defaultRandomForestParameters(task), nEstimators: 100, maxDepth: 10, minSamplesLeaf: 1 };
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const forest = fitRandomForest({ ...train, task, parameters });
  const fitSeconds = (performance.now() - before) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const probabilities = predictForest(forest, test.x);
  const positive = Float64Array.from(test.y, (_, row) => probabilities[2 * row + 1]!);
  const { area } = rocArea(positive, Uint8Array.from(test.y));
  const peakRssMib = process.resourceUsage().maxRSS / 1024;
  return { fitSeconds, cpuSeconds: (cpu.user + cpu.system) / 1e6, auc: area, peakRssMib };
}

function runOurs(folder: string, features: number): CaseResult {
  const output = run(process.execPath, [
    fileURLToPath(import.meta.url),
    '--case',
    folder,
    '--features',
    String(features),
  ]);
  return JSON.parse(output) as CaseResult;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '100000' },
      features: { type: 'string', default: '20' },
      repeats: { type: 'string', default: '3' },
      case: { type: 'string' },
      'ours-only': { type: 'boolean', default: false },
    },
  });
  const features = Number(values.features);
  if (values.case) return console.log(JSON.stringify(runCase(values.case, features)));
  const rows = Number(values.rows);
  if (!hasPeers()) return;
  const folder = mkdtempSync(join(tmpdir(), 'train-forest-'));
  try {
    exportData(folder, rows, features);
    const ours: CaseResult[] = [];
    const peer: CaseResult[] = [];
    for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
      ours.push(runOurs(folder, features));
      if (!values['ours-only']) peer.push(runPeer('sklearn-random-forest', { rows, features, threads: 1 }));
    }
    const about = { rows, features, trees: 100, depth: 10, threads: 1, repeats: ours.length };
    console.log(JSON.stringify({ name: 'train.forest', learner: 'ours', ...about, ...medians(ours) }));
    if (values['ours-only']) return;
    console.log(JSON.stringify({ name: 'train.forest', learner: 'sklearn-random-forest', ...about, ...medians(peer) }));
    const [mine, theirs] = [medians(ours), medians(peer)];
    const ratio = mine.fitSeconds / theirs.fitSeconds;
    console.log(
      JSON.stringify({
        name: 'train.forest.ratio',
        wall: ratio,
        cpu: mine.cpuSeconds / theirs.cpuSeconds,
        aucDifference: mine.auc - theirs.auc,
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
