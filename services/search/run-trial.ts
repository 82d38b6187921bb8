import { hostname } from 'node:os';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Configuration } from '../../ml/search/search-space.js';
import { visibleTrials, type Report, type Trial } from '../../ml/search/trial.js';
import { digestOf } from '../canonical-json.js';
import type { Database } from '../database/database.js';
import { TrainerCrash } from '../training/trainer-guard.js';
import { STAGED, type TrainingPlan } from '../training/training-plan.js';
import { drawTrial } from './draw-trial.js';
import { endedBefore, failed, replayMeasurement, type Measurement } from './measure-trial.js';
import { judgeMetrics } from './judge-metrics.js';
import type { SearchPlan } from './search-plan.js';
import type { SweepMemory, SweepSubject } from './sweep-memory.js';
import type { TrialPool } from './trial-pool.js';
import {
  beginTrial,
  endTrial,
  noteCrash,
  noteDraw,
  noteReports,
  type DrawnTrial,
  reportsOf,
  type BegunTrial,
} from './trial-table.js';
import { bringFolder } from '../storage/shared-files.js';
import { stateOf } from '../storage/shared-record.js';

export interface TrialRun {
  sweepId: string;
  index: number;
}

/** What the workflow learns of a trial. */
export interface TrialSummary {
  index: number;
  state: 'completed' | 'pruned' | 'failed' | 'stopped';
  loss: number | null;
}

export interface TrialContext {
  database: Database;
  memory: SweepMemory;
  pool: TrialPool;
  /** Where the tables of jobs are staged. */
  stagingRoot: string;
  signal: AbortSignal;
  onReport: (report: Report) => void;
}

/** A process that dies so often in the same trial is killed by the trial. */
const MOST_CRASHES = 3;
const NOTE_EVERY_MS = 500;

/**
 * Draws a trial from the table, writes it down, runs it and writes its end. Can be repeated: what is written stands, and a trial that was
 * interrupted runs again with the same draw and comes to the same end.
 * @throws ServiceError of data that cannot be trained on; TrainerCrash, to be tried again; or the reason of the signal
 */
export async function runTrial(run: TrialRun, context: TrialContext): Promise<TrialSummary> {
  const { sweepId, index } = run;
  const { database, memory } = context;
  const subject = await memory.subject(sweepId);
  const endedCount = endedBefore(index, subject.plan.search!);
  const trials = await drawMissing(run, subject, await memory.trialsBefore(sweepId, index, endedCount), database);
  const draw = drawNext(run, subject, trials);
  const worker = `${hostname()}:${process.pid}`;
  const row = await beginTrial(database, { ...draw, worker });
  if (row.state !== 'running') return summarise(index, row);
  const startMs = performance.now();
  const subjectOfTrial = {
    ...run,
    configuration: row.configuration,
    cacheKey: draw.cacheKey,
    history: trials.slice(0, endedCount),
  };
  const found = await measure({ ...subject, ...subjectOfTrial }, context);
  const seconds = (performance.now() - startMs) / 1000;
  return summarise(index, await endTrial(database, sweepId, index, { ...found, seconds }));
}

/**
 * Trials start side by side, so one may come before those with lower numbers have been drawn: it draws these, too, in their order and as
 * they would themselves.
 * @param known trials before this one that are written down, by number
 * @returns all trials before this one
 */
async function drawMissing(
  { sweepId, index }: TrialRun,
  subject: SweepSubject,
  known: readonly Trial[],
  database: Database,
): Promise<readonly Trial[]> {
  if (known.length === index) return known;
  const byIndex = new Map(known.map((trial) => [trial.index, trial]));
  const all: Trial[] = [];
  while (all.length < index) {
    const next = byIndex.get(all.length);
    const configuration =
      next?.configuration ?? (await noteDraw(database, drawNext({ sweepId, index: all.length }, subject, all)));
    all.push(next ?? { index: all.length, configuration, reports: [], outcome: { state: 'running' } });
  }
  return all;
}

/** @param trials all before this one */
function drawNext({ sweepId, index }: TrialRun, { plan, warm }: SweepSubject, trials: readonly Trial[]): DrawnTrial {
  const search = plan.search!;
  const history = visibleTrials(trials, index, search.parallelism);
  const drawn = drawTrial({ ...search, warm, index, history });
  return { sweepId, index, ...drawn, cacheKey: trialKey(plan, drawn.configuration) };
}

/** Of everything that a measurement follows from, but for the trials beside it. */
export function trialKey(plan: TrainingPlan, configuration: Configuration): string {
  const { jobId: _job, search, warnings: _warnings, autoDeploy: _deploy, crossValidation: _cross, ...rest } = plan;
  const { seed, resource } = search as SearchPlan;
  return digestOf(['trial', rest, seed, resource, configuration]);
}

interface Measured extends Measurement {
  cachedFrom?: string;
  peakMemoryMb?: number;
}

interface Begun extends TrialRun {
  configuration: Configuration;
  cacheKey: string;
  /** The ends that it may know. */
  history: readonly Trial[];
}

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
async function reasonOf(error: unknown, database: Database, { sweepId, index }: TrialRun): Promise<string | undefined> {
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
      onReport(report);
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

function summarise(index: number, { state, losses }: Pick<BegunTrial, 'state' | 'losses'>): TrialSummary {
  const [loss = null] = losses;
  return { index, state: state as TrialSummary['state'], loss: state === 'completed' ? loss : null };
}
