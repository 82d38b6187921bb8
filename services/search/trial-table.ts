import type { TrialState } from '../../core/schemas/search.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Report, Trial, TrialOutcome } from '../../ml/search/trial.js';
import type { Database, Prisma } from '../database/database.js';

export type TrialRow = Prisma.SweepTrialGetPayload<object>;

/** What a worker has to know of a trial that is written down. */
export interface BegunTrial {
  configuration: Configuration;
  state: TrialState;
  losses: number[];
}

/** How a trial ended, with what else is kept of it. */
export interface TrialEnd {
  state: Exclude<TrialState, 'queued' | 'running'>;
  reports: readonly Report[];
  losses: readonly number[];
  violation?: number;
  metrics: Record<string, number>;
  reason?: string;
  cachedFrom?: string;
  seconds: number;
  peakMemoryMb?: number;
}

/** JSON has no word for what is no finite number. */
const storable = (reports: readonly Report[]) =>
  JSON.stringify(reports.map(({ resource, loss }) => ({ resource, loss: Number.isFinite(loss) ? loss : null })));

export const reportsOf = ({ reports }: Pick<TrialRow, 'reports'>): Report[] =>
  (reports as unknown as { resource: number; loss: number | null }[]).map(({ resource, loss }) => ({
    resource,
    loss: loss ?? NaN,
  }));

function outcomeOf({ state, losses, violation, reason }: TrialRow): TrialOutcome {
  if (state === 'completed') return { state, losses: losses as number[], violation: violation ?? 0 };
  if (state === 'pruned' || state === 'running') return { state };
  return { state: 'failed', reason: reason ?? state };
}

/** The row as samplers, pruners and the choice of the best see it. */
export const toTrial = (row: TrialRow): Trial => ({
  index: row.index,
  configuration: row.configuration as Configuration,
  reports: reportsOf(row),
  outcome: outcomeOf(row),
});

/** Trials from one number up to before another, by number. */
export async function readTrials({ prisma }: Database, sweepId: string, from: number, to: number): Promise<Trial[]> {
  if (to <= from) return [];
  const rows = await prisma.sweepTrial.findMany({
    where: { sweepId, index: { gte: from, lt: to } },
    orderBy: { index: 'asc' },
  });
  return rows.map(toTrial);
}

/** A draw as it is written down, before its trial starts. */
export interface DrawnTrial {
  sweepId: string;
  index: number;
  configuration: Configuration;
  source: 'sampler' | 'warm_start';
  cacheKey: string;
}

/** Writes the draw of a trial down that another worker will start. @returns the draw that stands */
export async function noteDraw(database: Database, draw: DrawnTrial): Promise<Configuration> {
  return (await writeTrial(database, { ...draw, worker: null, attempts: 0 })).configuration;
}

/**
 * Writes a trial down before it starts. What an earlier attempt has written stands: its draw, and its end where it has one.
 * @returns the row as it is now
 */
export async function beginTrial(database: Database, trial: DrawnTrial & { worker: string }): Promise<BegunTrial> {
  return writeTrial(database, { ...trial, attempts: 1 });
}

/**
 * A cancelled activity goes on until it hears of it, and so may come after the end of its sweep: its trial is stopped before it begins. The
 * lock on the sweep puts it before that end or after it.
 */
async function writeTrial(
  { prisma }: Database,
  trial: DrawnTrial & { worker: string | null; attempts: number },
): Promise<BegunTrial> {
  const { sweepId, index, source, cacheKey, worker, attempts } = trial;
  const configuration = JSON.stringify(trial.configuration);
  const [row] = await prisma.$queryRaw<BegunTrial[]>`
    WITH sweep AS (SELECT finished_at FROM sweeps WHERE id = ${sweepId} FOR SHARE)
    INSERT INTO sweep_trials AS trial (sweep_id, index, configuration, source, cache_key, worker, attempts, state, reason, finished_at)
    SELECT ${sweepId}, ${index}, ${configuration}::jsonb, ${source}, ${cacheKey}, ${worker}, ${attempts}::int,
      CASE WHEN finished_at IS NULL THEN 'running' ELSE 'stopped' END,
      CASE WHEN finished_at IS NOT NULL THEN 'The sweep ended before it.' END, finished_at
    FROM sweep
    ON CONFLICT (sweep_id, index) DO UPDATE
    SET attempts = trial.attempts + CASE WHEN trial.state = 'running' THEN ${attempts}::int ELSE 0 END,
      worker = CASE WHEN trial.state = 'running' THEN coalesce(EXCLUDED.worker, trial.worker) ELSE trial.worker END,
      reports = CASE WHEN trial.state = 'running' AND ${attempts}::int > 0 THEN '[]' ELSE trial.reports END,
      started_at = CASE WHEN trial.state = 'running' AND ${attempts}::int > 0 THEN now() ELSE trial.started_at END,
      updated_at = CASE WHEN trial.state = 'running' AND ${attempts}::int > 0 THEN now() ELSE trial.updated_at END
    RETURNING configuration, state, losses`;
  return row!;
}

/** What a trial that runs has reported, to be looked at; its end has them all. */
export async function noteReports(
  { prisma }: Database,
  { sweepId, index, reports }: { sweepId: string; index: number; reports: readonly Report[] },
): Promise<void> {
  await prisma.$executeRaw`
    UPDATE sweep_trials SET reports = ${storable(reports)}::jsonb, updated_at = now()
    WHERE sweep_id = ${sweepId} AND index = ${index} AND state = 'running'`;
}

/** Counts that the process of a trial has died. @returns how often by now */
export async function noteCrash({ prisma }: Database, sweepId: string, index: number): Promise<number> {
  const { crashes } = await prisma.sweepTrial.update({
    where: { sweepId_index: { sweepId, index } },
    data: { crashes: { increment: 1 } },
  });
  return crashes;
}

/** Writes the end of a trial, once: of two attempts the first one's stands. @returns the end that stands */
export async function endTrial(
  { prisma }: Database,
  sweepId: string,
  index: number,
  end: TrialEnd,
): Promise<Pick<BegunTrial, 'state' | 'losses'>> {
  const { state, reports, losses, violation = null, metrics, reason = null, cachedFrom = null, seconds } = end;
  const count = await prisma.$executeRaw`
    UPDATE sweep_trials SET state = ${state}, reports = ${storable(reports)}::jsonb, losses = ${JSON.stringify(losses)}::jsonb,
      violation = ${violation}, metrics = ${JSON.stringify(metrics)}::jsonb, reason = ${reason}, cached_from = ${cachedFrom},
      seconds = ${seconds}, peak_memory_mb = ${end.peakMemoryMb ?? null}::int, updated_at = now(), finished_at = now()
    WHERE sweep_id = ${sweepId} AND index = ${index} AND state = 'running'`;
  if (count > 0) return { state, losses: [...losses] };
  const row = await prisma.sweepTrial.findUniqueOrThrow({ where: { sweepId_index: { sweepId, index } } });
  return { state: row.state as TrialState, losses: row.losses as number[] };
}
