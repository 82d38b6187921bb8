/**
 * Measures how long forests of the size of `user_behavior` (three of 100 trees, 26 columns, 2, 3 and 8 classes) take to answer many rows,
 * on one thread, beside ONNX Runtime on the same trees and rows in the same run. Once with all columns, once with four, the others missing.
 *
 * Run: node dist/bench/walk-forest.js [--rows 20000] [--repeats 7]
 * PEERS_PYTHON is a Python with numpy, onnx and onnxruntime (default ~/.cache/peers-venv/bin/python); without it ours alone is measured.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  defaultRandomForestParameters,
  fitRandomForest,
  predictForest,
  type RandomForest,
} from '../ml/ensemble/random-forest.js';
import type { FeatureMatrix } from '../ml/matrix.js';
import { createPrng } from '../ml/random/prng.js';
import { projectRoot } from '../services/project-root.js';
import { median } from '../ml/evaluate/median.js';

const COLUMNS = 26;
const GIVEN = 4;
const CLASSES = [2, 3, 8];
const TRAIN_ROWS = 6000;

function drawMatrix(rows: number, given: number, seed: number): FeatureMatrix {
  const prng = createPrng(seed);
  const values = new Float64Array(rows * COLUMNS).fill(NaN);
  // Single precision, so that both programs see the same numbers.
  for (let at = 0; at < rows * given; at++) values[at] = Math.fround(prng.next());
  return { rows, columns: COLUMNS, values };
}

function fitForest(classes: number): RandomForest {
  const x = drawMatrix(TRAIN_ROWS, COLUMNS, classes);
  const prng = createPrng(99);
  const y = Float64Array.from({ length: TRAIN_ROWS }, (_, row) => {
    const score = x.values[row]! + x.values[TRAIN_ROWS + row]! * x.values[2 * TRAIN_ROWS + row]!;
    return Math.min(classes - 1, Math.floor(((score + prng.next()) / 3) * classes));
  });
  // A part of the cells is missing in training, so that trees know where such rows go.
  for (let at = 0; at < x.values.length; at++) if (prng.next() < 0.1) x.values[at] = NaN;
  const task = { kind: 'classification', classes } as const;
  const parameters = { ...defaultRandomForestParameters(task), nEstimators: 100 };
  return fitRandomForest({ x, y, task, parameters });
}

function timeOurs(forest: RandomForest, x: FeatureMatrix, repeats: number): number {
  predictForest(forest, x);
  const times = Array.from({ length: repeats }, () => {
    const startMs = performance.now();
    predictForest(forest, x);
    return ((performance.now() - startMs) * 1000) / x.rows;
  });
  return median(times);
}

interface PeerTime {
  forest: string;
  matrix: string;
  us_per_row: number;
  rows_that_differ: number;
}

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '20000' }, repeats: { type: 'string', default: '7' } },
});
const repeats = Number(values.repeats);
const rows = Number(values.rows);
const matrices = { all_columns: drawMatrix(rows, COLUMNS, 5), four_columns: drawMatrix(rows, GIVEN, 6) };
const forests = CLASSES.map((classes) => ({ name: `classes_${classes}`, forest: fitForest(classes) }));
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
const folder = mkdtempSync(join(tmpdir(), 'mlops-walk-'));
try {
  const ours = new Map<string, number>();
  for (const [matrix, x] of Object.entries(matrices)) {
    writeFileSync(join(folder, `${matrix}.f64`), x.values);
    for (const { name, forest } of forests) {
      ours.set(`${name} ${matrix}`, timeOurs(forest, x, repeats));
      writeFileSync(join(folder, `${name}-${matrix}.f64`), predictForest(forest, x));
    }
  }
  const spec = {
    columns: COLUMNS,
    repeats,
    matrices: Object.keys(matrices),
    forests: forests.map(({ name, forest }) => ({
      name,
      outputs: forest.outputs,
      ...Object.fromEntries(
        (['treeOffsets', 'feature', 'threshold', 'left', 'missingLeft', 'valueOffset', 'values'] as const).map(
          (part) => [part, [...forest[part]]],
        ),
      ),
    })),
  };
  writeFileSync(join(folder, 'forests.json'), JSON.stringify(spec));
  const script = join(projectRoot(), 'bench', 'walk_forest_onnx.py');
  const peer = existsSync(python)
    ? (JSON.parse(execFileSync(python, [script, folder], { encoding: 'utf8' })) as PeerTime[])
    : [];
  if (peer.length === 0) process.stderr.write(`SKIPPED ONNX Runtime: ${python} is absent (PEERS_PYTHON).\n`);
  for (const matrix of Object.keys(matrices)) {
    const sum = (of: (forest: string) => number) => forests.reduce((total, { name }) => total + of(name), 0);
    const theirs = (forest: string) => peer.find((one) => one.forest === forest && one.matrix === matrix);
    const us = sum((forest) => ours.get(`${forest} ${matrix}`)!);
    const onnx = sum((forest) => theirs(forest)?.us_per_row ?? NaN);
    const line = {
      name: 'walk-forest',
      rows: matrix,
      us_per_row: Math.round(us * 100) / 100,
      rows_per_second: Math.round(1e6 / us),
      onnx_us_per_row: Math.round(onnx * 100) / 100,
      onnx_to_ours: Math.round((onnx / us) * 100) / 100,
      rows_that_differ: sum((forest) => theirs(forest)?.rows_that_differ ?? NaN),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
