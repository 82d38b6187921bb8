import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { writeHoldout } from '../artifacts/frozen-holdout.js';
import { RECIPES } from '../kinds/recipes.js';
import type { Measured, OnProgress } from '../kinds/recipe.js';
import { writeStaged } from '../storage/staged-file.js';
import type { MeasuredPoint } from '../tracking/run-recorder.js';
import { lowerPriority } from './lower-priority.js';
import { STAGED, type TrainingPlan } from './training-plan.js';
import { createTreeThreads } from './tree-threads.js';

export const TRAINER_STEPS = ['fit', 'cross_validate', 'evaluate'] as const;
export type TrainerStep = (typeof TRAINER_STEPS)[number];

export interface TrainerOrder {
  step: TrainerStep;
  plan: TrainingPlan;
  staging: string;
  /** Threads that may work on one fit. */
  threads: number;
}
/** What the process has used so far. */
export interface TrainerUsage {
  cpuSeconds: number;
  peakMemoryBytes: number;
}

export type TrainerMessage =
  | { type: 'progress'; share: number; detail: string; usage: TrainerUsage; points: readonly MeasuredPoint[] }
  | { type: 'done'; usage: TrainerUsage; points: readonly MeasuredPoint[] }
  | { type: 'failed'; code?: ServiceError['code']; message: string; problems?: readonly FieldProblem[] };

/** Runs the step of the kind's recipe and stages what comes of it. */
async function runStep({ step, plan, staging, threads }: TrainerOrder, onProgress: OnProgress): Promise<void> {
  const recipe = RECIPES[plan.kind];
  // They end with this process; an evaluation fits nothing that could use them.
  const crew = threads > 1 && step !== 'evaluate' ? createTreeThreads(threads) : undefined;
  const stage = (file: string, content: unknown) => writeStaged(join(staging, file), JSON.stringify(content));
  if (step === 'fit') {
    await stage(STAGED.fit, await recipe.fit(plan, staging, onProgress, crew));
  } else if (step === 'cross_validate') {
    await stage(STAGED.crossValidation, await recipe.crossValidate!(plan, staging, onProgress, crew));
  } else {
    const { evaluation, golden, report, holdout } = await recipe.evaluate(plan, staging, onProgress);
    await stage(STAGED.golden, golden);
    await stage(STAGED.report, report ?? null);
    await stage(STAGED.holdout, holdout ? await writeHoldout(staging, holdout) : null);
    await stage(STAGED.evaluation, evaluation);
  }
}

const REPORT_EVERY_MS = 200;

function usageSoFar(): TrainerUsage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMemoryBytes: maxRSS * 1024 };
}

/** A loss that has run away is no number that could be kept. */
const pointsOf = (measured: Measured | undefined): MeasuredPoint[] =>
  Object.entries(measured?.values ?? {}).flatMap(([name, value]) =>
    Number.isFinite(value) ? [{ name, step: measured!.step, value }] : [],
  );

/**
 * The process that does the CPU-bound work of one step, so that the worker's heartbeats and other jobs go on. It ends
 * itself when its worker is gone: a killed worker sends no signal, and a busy loop sees no event, so the parent's id is
 * looked at in each report.
 */
async function main(): Promise<void> {
  const parent = process.ppid;
  // Training never takes the cores from serving.
  lowerPriority();
  process.on('disconnect', () => process.exit(1));
  const order = await new Promise<TrainerOrder>((resolve) =>
    process.once('message', (message) => resolve(message as TrainerOrder)),
  );
  let lastMs = 0;
  const points: MeasuredPoint[] = [];
  const takePoints = () => points.splice(0);
  const onProgress: OnProgress = (share, detail, measured) => {
    if (process.ppid !== parent) process.exit(1);
    points.push(...pointsOf(measured));
    const nowMs = performance.now();
    if (nowMs - lastMs < REPORT_EVERY_MS && share < 1) return;
    lastMs = nowMs;
    send({ type: 'progress', share, detail, usage: usageSoFar(), points: takePoints() });
  };
  try {
    await runStep(order, onProgress);
    send({ type: 'done', usage: usageSoFar(), points: takePoints() }, () => process.exit(0));
  } catch (error) {
    const failure: TrainerMessage =
      error instanceof ServiceError
        ? { type: 'failed', code: error.code, message: error.message, problems: error.problems }
        : { type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    send(failure, () => process.exit(1));
  }
}

function send(message: TrainerMessage, then?: () => void): void {
  process.send?.(message, undefined, {}, () => then?.());
}

await main();
