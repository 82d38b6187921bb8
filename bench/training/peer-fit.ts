import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { FeatureMatrix } from '../../ml/matrix.js';
import { median } from '../../ml/evaluate/median.js';

/** What one fit in a process of its own came to. */
export interface CaseResult {
  fitSeconds: number;
  cpuSeconds: number;
  auc: number;
  peakRssMib: number;
}

const peersDir = resolve(process.env['PEERS_DIR'] ?? '../shared/peers');
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');

const peerScript = join(peersDir, 'train_trees.py');

/** True where the peers are there; otherwise says what is missing, and the process ends with 3. */
export function hasPeers(): boolean {
  if (existsSync(peerScript) && existsSync(python)) return true;
  console.error(`SKIPPED: needs ${peerScript} (set PEERS_DIR) and ${python} (set PEERS_PYTHON)`);
  process.exitCode = 3;
  return false;
}

/** Writes the data that the peers are fitted on to a folder. */
export function exportData(folder: string, rows: number, features: number): void {
  run(python, [peerScript, '--export', folder, String(rows), String(features)]);
}

/** Reads rows in stretches, so that the matrix is never in memory twice. */
export function readMatrix(folder: string, part: string, columns: number): { x: FeatureMatrix; y: Float64Array } {
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

export function run(command: string, args: string[]): string {
  const environment = { ...process.env };
  // Two settings that slow NumPy down where a machine sets them.
  delete environment['OPENBLAS_CORETYPE'];
  delete environment['OPENBLAS_L2_SIZE'];
  const result = spawnSync(command, args, { encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${String(result.status)}`);
  return result.stdout;
}

/** Fits a peer once, in a process of its own. @param model as its script calls it */
export function runPeer(model: string, about: { rows: number; features: number; threads: number }): CaseResult {
  const { rows, features, threads } = about;
  const args = ['--rows', String(rows), '--features', String(features), '--threads', String(threads)];
  const output = run(python, [peerScript, ...args, '--models', model, '--repeats', '1']);
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

/** The median of each figure. */
export function medians(results: CaseResult[]): CaseResult {
  const of = (key: keyof CaseResult): number => median(results.map((result) => result[key]));
  return { fitSeconds: of('fitSeconds'), cpuSeconds: of('cpuSeconds'), auc: of('auc'), peakRssMib: of('peakRssMib') };
}
