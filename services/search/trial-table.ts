import type { TrialState } from '../../core/schemas/search.js';
import type { Configuration } from '../../ml/search/search-space.js';
import type { Report, Trial, TrialOutcome } from '../../ml/search/trial.js';
import type { Database, Prisma } from '../database/database.js';

export type TrialRow = Prisma.SweepTrialGetPayload<object>;

/** How a trial ended, with what else is kept of it. */
export interface TrialEnd {
  state: Exclude<TrialState, 'running'>;
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

/** The ends of the trials from one number up to before another, by number. */
export async function readTrials({ prisma }: Database, sweepId: string, from: number, to: number): Promise<Trial[]> {
  if (to <= from) return [];
  const rows = await prisma.sweepTrial.findMany({
    where: { sweepId, index: { gte: from, lt: to } },
    orderBy: { index: 'asc' },
  });
  return rows.map(toTrial);
}

/**
 * Writes a trial down before it starts. What an earlier attempt has written stands: its draw, and its end where it has one.
 * @returns the row as it is now
 */
export async function beginTrial(
  { prisma }: Database,
  trial: {
    sweepId: string;
    index: number;
    configuration: Configuration;
    source: 'sampler' | 'warm_start';
    cacheKey: string;
    worker: string;
  },
): Promise<TrialRow> {
  const { sweepId, index, source, cacheKey, worker } = trial;
  const configuration = JSON.stringify(trial.configuration);
  await prisma.$executeRaw`
    INSERT INTO sweep_trials (sweep_id, index, configuration, source, cache_key, worker)
    VALUES (${sweepId}, ${index}, ${configuration}::jsonb, ${source}, ${cacheKey}, ${worker})
    ON CONFLICT (sweep_id, index) DO UPDATE
    SET attempts = sweep_trials.attempts + 1, worker = EXCLUDED.worker, reports = '[]', started_at = now(), updated_at = now()
    WHERE sweep_trials.state = 'running'`;
  return prisma.sweepTrial.findUniqueOrThrow({ where: { sweepId_index: { sweepId, index } } });
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
export async function noteCrash({ prisma }: Database, { sweepId, index }: TrialRow): Promise<number> {
  const { crashes } = await prisma.sweepTrial.update({
    where: { sweepId_index: { sweepId, index } },
    data: { crashes: { increment: 1 } },
  });
  return crashes;
}

/** Writes the end of a trial, once: of two attempts the first one's stands. */
export async function endTrial({ prisma }: Database, sweepId: string, index: number, end: TrialEnd): Promise<TrialRow> {
  const { state, reports, losses, violation = null, metrics, reason = null, cachedFrom = null, seconds } = end;
  await prisma.$executeRaw`
    UPDATE sweep_trials SET state = ${state}, reports = ${storable(reports)}::jsonb, losses = ${JSON.stringify(losses)}::jsonb,
      violation = ${violation}, metrics = ${JSON.stringify(metrics)}::jsonb, reason = ${reason}, cached_from = ${cachedFrom},
      seconds = ${seconds}, peak_memory_mb = ${end.peakMemoryMb ?? null}::int, updated_at = now(), finished_at = now()
    WHERE sweep_id = ${sweepId} AND index = ${index} AND state = 'running'`;
  return prisma.sweepTrial.findUniqueOrThrow({ where: { sweepId_index: { sweepId, index } } });
}
