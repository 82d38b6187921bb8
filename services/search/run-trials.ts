import { hostname } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Report } from '../../ml/search/trial.js';
import type { Database } from '../database/database.js';
import { TrainerCrash } from '../training/trainer-guard.js';
import { STAGED, type TrainingPlan } from '../training/training-plan.js';
import { beginNextTrial, type BegunTrial, type NextTrial } from './begin-next-trial.js';
import { failed, replayMeasurement, type Measurement } from './measure-trial.js';
import { judgeMetrics } from './judge-metrics.js';
import type { SearchPlan } from './search-plan.js';
import type { SweepMemory, SweepSubject } from './sweep-memory.js';
import type { TrialPool } from './trial-pool.js';
import { endTrial, noteCrash, noteReports, reportsOf } from './trial-table.js';
import { bringFolder } from '../storage/shared-files.js';
import { stateOf } from '../storage/shared-record.js';

/** One activity of a sweep, whatever its attempt. */
export interface LaneRun {
  sweepId: string;
  /** The same in all attempts of the activity, and that of no other. */
  lane: string;
}

/** What the workflow learns of a lane. */
export interface LaneResult {
  /** Trials of the sweep that have begun, whoever runs them. */
  begun: number;
  /** The least loss of those that it has run. */
  loss: number | null;
  /** `more`: others may begin at once; for `blocked` and `over` see `NextTrial`. */
  end: 'more' | 'blocked' | 'over';
}

export interface TrialContext {
  database: Database;
  memory: SweepMemory;
  pool: TrialPool;
  /** Where the tables of jobs are staged. */
  stagingRoot: string;
  signal: AbortSignal;
  onReport: (index: number, report: Report) => void;
  /** Is told of each trial that has ended. */
  onEnd: (index: number) => Promise<void>;
}

/**
 * A lane goes on with trial after trial for so long: what Temporal does for an activity costs as much as several short fits. It is also
 * how long other jobs may wait for the slot.
 */
const LANE_MS = 2000;
/** A lane that has to wait for others keeps its slot for so long, since a way through the workflow would take about as long. */
const WAIT_MS = 250;
const LOOK_EVERY_MS = 50;
/** A process that dies so often in the same trial is killed by the trial. */
const MOST_CRASHES = 3;
const NOTE_EVERY_MS = 500;

/**
 * Runs trials of a sweep one after another, each drawn from the table, written down, measured and ended. Can be repeated: what is written
 * stands, and a trial that was interrupted runs again with the same draw and comes to the same end.
 * @param mode `one`: exactly one trial, waiting until it may begin
 * @throws ServiceError of data that cannot be trained on; TrainerCrash, to be tried again; or the reason of the signal
 */
export async function runTrials(
  run: LaneRun,
  context: TrialContext,
  mode: 'lane' | 'one' = 'lane',
): Promise<LaneResult> {
  const { signal } = context;
  const subject = await context.memory.subject(run.sweepId);
  const worker = `${hostname()}:${process.pid}`;
  const untilMs = performance.now() + LANE_MS;
  let best: number | null = null;
  for (;;) {
    const next = await beginWhenPossible({ ...run, worker }, context, mode === 'one' ? Infinity : WAIT_MS);
    if ('end' in next) return { ...next, loss: best };
    const startMs = performance.now();
    const found = await measure({ ...subject, ...run, ...next }, context);
    const tookMs = performance.now() - startMs;
    const loss = await endTrial(context.database, run.sweepId, next.index, { ...found, seconds: tookMs / 1000 });
    await context.memory.tellEnd(run.sweepId);
    await context.onEnd(next.index);
    if (loss !== null) best = Math.min(best ?? Infinity, loss);
    const result: LaneResult = { begun: next.index + 1, loss: best, end: 'more' };
    if (mode === 'one' || performance.now() > untilMs) return result;
    // Others have given up waiting for a trial that took long, and only the workflow can call them back.
    if (tookMs > WAIT_MS && (await hasFreedOthers(run.sweepId, next.index, context.memory))) return result;
    signal.throwIfAborted();
  }
}

/** Whether the end of a trial lets more than one other begin. */
async function hasFreedOthers(sweepId: string, index: number, memory: SweepMemory): Promise<boolean> {
  const { ended } = await memory.trials(sweepId);
  return ended.length > index + 1;
}

/** Begins the next trial, waiting a moment for others that it follows from. */
async function beginWhenPossible(
  run: LaneRun & { worker: string },
  { database, memory, signal }: TrialContext,
  waitMs: number,
): Promise<NextTrial> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const next = await beginNextTrial(run, { database, memory });
    if (!('end' in next) || next.end === 'over' || performance.now() > untilMs) return next;
    await memory.waitForEnd(run.sweepId, LOOK_EVERY_MS, signal);
  }
}

interface Measured extends Measurement {
  cachedFrom?: string;
  peakMemoryMb?: number;
}

type Begun = BegunTrial & LaneRun;

async function measure(begun: SweepSubject & Begun, context: TrialContext): Promise<Measured> {
  const { plan, rows, sweepId, index, configuration, history } = begun;
  const search = plan.search!;
  const known = await findEqual(context.database, search, begun);
  if (known) return { ...replayMeasurement(known.measurement, { search, index, history }), cachedFrom: known.from };
  const { reports, onReport, settle } = collectReports(context, { sweepId, index });
  const staging = join(context.stagingRoot, plan.jobId);
  // The table was written before the first trial, and never changes.
  if (!(await stateOf(join(staging, STAGED.table)))) await bringFolder(staging);
  try {
    const { measurement, peakMemoryMb } = await context.pool.run(
      {
        sweepId,
        plan,
        staging,
        index,
        configuration,
        history,
        memoryMb: estimateMb(plan, rows),
      },
      { seconds: plan.fitTimeoutSeconds, signal: context.signal, onReport },
    );
    return { ...measurement, peakMemoryMb };
  } catch (error) {
    const reason = await reasonOf(error, context.database, begun);
    if (reason === undefined) throw error;
    return failed(reason, reports);
  } finally {
    await settle();
  }
}

/** Why a trial has failed that its process could not tell; undefined for what is no fault of the trial. */
async function reasonOf(error: unknown, database: Database, { sweepId, index }: Begun): Promise<string | undefined> {
  if (error instanceof ServiceError && ['training_timeout', 'training_out_of_memory'].includes(error.code))
    return error.message;
  if (!(error instanceof TrainerCrash) || (await noteCrash(database, sweepId, index)) < MOST_CRASHES) return undefined;
  return `Its process died ${MOST_CRASHES} times. ${error.message}`;
}

/** Keeps what a trial reports, and writes it down often enough to be looked at. */
function collectReports({ database, onReport }: TrialContext, trial: { sweepId: string; index: number }) {
  const reports: Report[] = [];
  let lastMs = performance.now();
  let writing: Promise<void> = Promise.resolve();
  return {
    reports,
    onReport(report: Report) {
      reports.push(report);
      onReport(trial.index, report);
      if (performance.now() - lastMs < NOTE_EVERY_MS) return;
      lastMs = performance.now();
      // A courtesy: a database that is away must not fail the trial.
      writing = writing.then(() => noteReports(database, { ...trial, reports })).catch(() => undefined);
    },
    settle: () => writing,
  };
}

/** An equal trial that ran to its end, of whatever sweep, and measured what this one is judged by. */
async function findEqual({ prisma }: Database, search: SearchPlan, { sweepId, index, cacheKey }: Begun) {
  const row = await prisma.sweepTrial.findFirst({
    where: { cacheKey, state: 'completed', NOT: { sweepId, index } },
    orderBy: [{ finishedAt: 'asc' }, { sweepId: 'asc' }, { index: 'asc' }],
  });
  if (!row) return undefined;
  const metrics = row.metrics as Record<string, number>;
  const judged = judgeMetrics(search, { metrics });
  if (![...judged.losses, judged.violation].every(Number.isFinite)) return undefined;
  const measurement: Measurement = { state: 'completed', reports: reportsOf(row), ...judged, metrics };
  return { measurement, from: row.cachedFrom ?? `${row.sweepId}/${row.index}` };
}

const PROCESS_MB = 200;
/** The table as read, encoded, and taken apart into folds and bins. */
const COPIES = 12;

const estimateMb = ({ features, heads }: TrainingPlan, rows: number): number =>
  Math.ceil(PROCESS_MB + (COPIES * 8 * rows * (features.length + heads.length)) / 2 ** 20);
