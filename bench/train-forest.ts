/**
 * Fits a random forest of 100 trees of depth 10 on one thread, ours and scikit-learn's in turn, each in a fresh process on the
 * same data, and prints the medians, their ratio and both AUCs as JSON lines.
 *
 * Run: node dist/bench/train-forest.js [--rows 100000] [--features 20] [--repeats 3] [--ours-only]
 * PEERS_DIR has train_trees.py (default ../shared/peers), PEERS_PYTHON is a Python with scikit-learn
 * (default ~/.cache/peers-venv/bin/python).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultRandomForestParameters, fitRandomForest, predictForest } from '../ml/ensemble/random-forest.js';
import { rocArea } from '../ml/evaluate/roc.js';
import type { FeatureMatrix } from '../ml/matrix.js';

interface CaseResult {
  fitSeconds: number;
  cpuSeconds: number;
  auc: number;
  peakRssMib: number;
}

const peersDir = resolve(process.env['PEERS_DIR'] ?? '../shared/peers');
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');

function readMatrix(folder: string, part: string, columns: number): { x: FeatureMatrix; y: Float64Array } {
  const bytes = readFileSync(join(folder, `${part}.x.f64`));
  const byRow = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const rows = byRow.length / columns;
  const values = new Float64Array(byRow.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) values[column * rows + row] = byRow[row * columns + column]!;
  }
  return { x: { rows, columns, values }, y: Float64Array.from(readFileSync(join(folder, `${part}.y.u8`))) };
}

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

function run(command: string, args: string[]): string {
  const environment = { ...process.env };
  // Two settings that slow NumPy down where a machine sets them.
  delete environment['OPENBLAS_CORETYPE'];
  delete environment['OPENBLAS_L2_SIZE'];
  const result = spawnSync(command, args, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${String(result.status)}`);
  return result.stdout;
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

function runPeer(rows: number, features: number): CaseResult {
  const script = join(peersDir, 'train_trees.py');
  const model = 'sklearn-random-forest';
  const args = ['--rows', String(rows), '--features', String(features), '--threads', '1', '--models', model];
  const lines = run(python, [script, ...args, '--repeats', '1'])
    .trim()
    .split('\n');
  const figures = new Map<string, number>();
  for (const line of lines) {
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
  if (!existsSync(join(peersDir, 'train_trees.py')) || !existsSync(python)) {
    console.error(
      `SKIPPED: needs ${join(peersDir, 'train_trees.py')} (set PEERS_DIR) and ${python} (set PEERS_PYTHON)`,
    );
    process.exitCode = 3;
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'train-forest-'));
  try {
    run(python, [join(peersDir, 'train_trees.py'), '--export', folder, String(rows), String(features)]);
    const ours: CaseResult[] = [];
    const peer: CaseResult[] = [];
    for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
      ours.push(runOurs(folder, features));
      if (!values['ours-only']) peer.push(runPeer(rows, features));
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
