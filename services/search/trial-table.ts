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

/** A trial with what tells who runs it. */
export interface OpenTrial extends Trial {
  isRunning: boolean;
  lane: string | null;
}

/** Trials from one number on, by number. */
export async function readTrialsFrom({ prisma }: Database, sweepId: string, from: number): Promise<OpenTrial[]> {
  const rows = await prisma.sweepTrial.findMany({
    where: { sweepId, index: { gte: from } },
    orderBy: { index: 'asc' },
  });
  return rows.map((row) => ({ ...toTrial(row), isRunning: row.state === 'running', lane: row.lane }));
}

/** A draw as it is written down, before its trial starts. */
export interface DrawnTrial {
  sweepId: string;
  index: number;
  configuration: Configuration;
  source: 'sampler' | 'warm_start';
  cacheKey: string;
}

/**
 * Writes a trial down before it starts, unless its sweep is paused, over or at the end of its budget: the lock on the sweep puts it before
 * such a change or after it. What an earlier attempt of the same lane has written stands.
 * @returns its configuration; undefined where it may not start, or where another lane has begun it
 */
export async function beginTrial(
  { prisma }: Database,
  trial: DrawnTrial & { worker: string; lane: string; isBegun: boolean },
): Promise<Configuration | undefined> {
  const { sweepId, index, source, cacheKey, worker, lane, isBegun } = trial;
  const configuration = JSON.stringify(trial.configuration);
  const [row] = await prisma.$queryRaw<{ configuration: Configuration }[]>`
    WITH sweep AS (SELECT state, trials, finished_at FROM sweeps WHERE id = ${sweepId} FOR SHARE)
    INSERT INTO sweep_trials AS trial (sweep_id, index, configuration, source, cache_key, worker, lane, state)
    SELECT ${sweepId}, ${index}, ${configuration}::jsonb, ${source}, ${cacheKey}, ${worker}, ${lane}, 'running'
    FROM sweep WHERE finished_at IS NULL AND (${isBegun} OR (state = 'running' AND ${index}::int < trials))
    ON CONFLICT (sweep_id, index) DO UPDATE
    SET attempts = trial.attempts + 1, worker = EXCLUDED.worker, lane = EXCLUDED.lane, reports = '[]', started_at = now(),
      updated_at = now()
    WHERE trial.state = 'running' AND (trial.lane IS NULL OR trial.lane = EXCLUDED.lane)
    RETURNING configuration`;
  return row?.configuration;
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

/** Writes the end of a trial, once: of two attempts the first one's stands. @returns the loss that stands, of one that ran to its end */
export async function endTrial(
  { prisma }: Database,
  sweepId: string,
  index: number,
  end: TrialEnd,
): Promise<number | null> {
  const { state, reports, losses, violation = null, metrics, reason = null, cachedFrom = null, seconds } = end;
  const count = await prisma.$executeRaw`
    UPDATE sweep_trials SET state = ${state}, reports = ${storable(reports)}::jsonb, losses = ${JSON.stringify(losses)}::jsonb,
      violation = ${violation}, metrics = ${JSON.stringify(metrics)}::jsonb, reason = ${reason}, cached_from = ${cachedFrom},
      seconds = ${seconds}, peak_memory_mb = ${end.peakMemoryMb ?? null}::int, updated_at = now(), finished_at = now()
    WHERE sweep_id = ${sweepId} AND index = ${index} AND state = 'running'`;
  const standing =
    count > 0
      ? { state, losses }
      : await prisma.sweepTrial.findUniqueOrThrow({ where: { sweepId_index: { sweepId, index } } });
  return standing.state === 'completed' ? ((standing.losses as number[])[0] ?? null) : null;
}

/** Gives the trial of a lane its end that took its workers with it again and again. */
export async function failTrialOf({ prisma }: Database, sweepId: string, lane: string, reason: string): Promise<void> {
  await prisma.$executeRaw`
    UPDATE sweep_trials SET state = 'failed', reason = ${reason}, reports = '[]', seconds = 0, updated_at = now(), finished_at = now()
    WHERE sweep_id = ${sweepId} AND lane = ${lane} AND state = 'running'`;
}
