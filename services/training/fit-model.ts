import { writeFileSync, fsyncSync, openSync, closeSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Calibration } from '../../ml/calibrate/calibration.js';
import { decodeForest, encodeForest } from '../../ml/ensemble/forest-format.js';
import { treeCount, type RandomForest } from '../../ml/ensemble/random-forest.js';
import type { LabelValue } from '../../ml/preprocess/label-encoder.js';
import { encodeTable, fitTableEncoder, type TableEncoder } from '../../ml/preprocess/table-encoder.js';
import { sha256 } from '../artifacts/model-bundle.js';
import { fitForestHead } from './fit-forest.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import { STAGED, type TrainingPlan } from './training-plan.js';
import { notTrainable, readTrainingTable, rowsOf, type TrainingTable } from './training-table.js';

/** `fit.json`: what the fit found besides the trees. */
export interface FitResult {
  encoder: TableEncoder;
  trainingRows: number;
  heads: {
    name: string;
    task: 'binary' | 'multiclass' | 'regression';
    classes: LabelValue[];
    sha256: string;
    trainingRows: number;
    calibration?: Calibration;
    interval?: { level: number; halfWidth: number };
  }[];
}

/** A checkpoint at most this often: writing one must stay cheap beside growing trees. */
const CHECKPOINT_EVERY_MS = 2000;

/**
 * Fits every head on the training rows. Finished heads and, within a head, finished trees are kept on disk, so that an
 * attempt that is killed costs at most two seconds of work, and the model is the same to the bit as without the kill.
 */
export async function fitModel(
  plan: TrainingPlan,
  staging: string,
  onProgress: (share: number, detail: string) => void,
): Promise<FitResult> {
  const table = await readTrainingTable(plan, staging);
  const training = trainingRows(table);
  const encoder = fitTableEncoder(table.features, training, {});
  if (encoder.columns.length === 0) {
    const why = encoder.ignored.map(({ name, type }) => `${name} (${type})`).join(', ');
    throw notTrainable(plan, `no column has anything to learn from: ${why}`);
  }
  const x = encodeTable(encoder, table.features);
  const heads: FitResult['heads'] = [];
  for (const [index, target] of table.targets.entries()) {
    const rows = rowsOf(target, (row) => table.isHeldOut[row] === 0);
    const report = (done: number, total: number) =>
      onProgress((index + done / total) / table.targets.length, `${target.head.name}: tree ${done} of ${total}`);
    const path = join(staging, STAGED.checkpoint(target.head.name));
    const resumeFrom = await readCheckpoint(path);
    const fitted = fitForestHead(
      { x, target, rows, hyperparameters: plan.hyperparameters, resumeFrom },
      createCheckpointer(path, report),
    );
    const bytes = encodeForest(fitted.forest);
    await writeStaged(join(staging, STAGED.forest(target.head.name)), bytes);
    heads.push({
      name: target.head.name,
      task: target.classes.length === 2 && target.head.task === 'binary' ? 'binary' : target.head.task,
      classes: target.classes,
      sha256: sha256(bytes),
      trainingRows: rows.length,
      calibration: fitted.calibration,
      interval: fitted.interval,
    });
  }
  const result: FitResult = { encoder, trainingRows: training.length, heads };
  await writeStaged(join(staging, STAGED.fit), JSON.stringify(result));
  return result;
}

/** Writes the trees so far every two seconds, in step with the fit: the fit is synchronous, so this must be too. */
function createCheckpointer(path: string, report: (done: number, total: number) => void) {
  let lastMs = performance.now();
  return ({ done, total, partial }: { done: number; total: number; partial: () => RandomForest }) => {
    report(done, total);
    if (performance.now() - lastMs < CHECKPOINT_EVERY_MS && done < total) return;
    writeSynchronously(path, encodeForest(partial()));
    lastMs = performance.now();
  };
}

function writeSynchronously(path: string, bytes: Uint8Array): void {
  const partial = `${path}.${process.pid}.partial`;
  writeFileSync(partial, bytes);
  const descriptor = openSync(partial, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(partial, path);
}

/** A checkpoint that cannot be read is no reason to fail: the trees are grown again. */
async function readCheckpoint(path: string): Promise<RandomForest | undefined> {
  const bytes = await readStaged(path);
  if (!bytes) return undefined;
  try {
    const forest = decodeForest(bytes);
    return treeCount(forest) > 0 ? forest : undefined;
  } catch (error) {
    process.stderr.write(`ignored the checkpoint ${path}: ${(error as Error).message}\n`);
    return undefined;
  }
}

/** The rows that a fit may see. */
function trainingRows(table: TrainingTable): Uint32Array {
  return Uint32Array.from([...table.isHeldOut.keys()].filter((row) => table.isHeldOut[row] === 0));
}
