import { ServiceError } from '../../core/errors.js';
import type { SweepState, TrialState } from '../../core/schemas/search.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';
import { bestTrials } from '../../ml/search/rank-trials.js';
import { describeFront } from './close-sweep.js';
import { objectivesOf } from './judge-metrics.js';
import type { SearchPlan } from './search-plan.js';
import { toTrial, type TrialRow } from './trial-table.js';

interface Tally {
  state: string;
  count: number;
}

export function presentTrial(row: TrialRow) {
  return {
    sweep_id: row.sweepId,
    trial: row.index,
    state: row.state as TrialState,
    configuration: row.configuration,
    source: row.source,
    loss: (row.losses as number[])[0] ?? null,
    losses: row.losses,
    violation: row.violation,
    metrics: row.metrics,
    /** What it has told on its way. */
    curve: row.reports,
    reason: row.reason,
    cached_from: row.cachedFrom,
    attempts: row.attempts,
    seconds: row.seconds,
    peak_memory_mb: row.peakMemoryMb,
    worker: row.worker,
    started_at: row.startedAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}
export type PresentedTrial = ReturnType<typeof presentTrial>;

type SweepRow = Prisma.SweepGetPayload<object>;

function presentSweep(row: SweepRow, tallies: readonly Tally[], best: TrialRow | null) {
  const count = (state: TrialState) => tallies.find((one) => one.state === state)?.count ?? 0;
  return {
    sweep_id: row.id,
    job_id: row.jobId,
    model: row.model,
    state: row.state as SweepState,
    settings: row.settings,
    warm_start: row.warmStart,
    trials: row.trials,
    timeout_seconds: row.timeoutSeconds,
    counts: {
      running: count('running'),
      completed: count('completed'),
      pruned: count('pruned'),
      failed: count('failed'),
      stopped: count('stopped'),
    },
    best: best && {
      trial: best.index,
      loss: (best.losses as number[])[0] ?? null,
      configuration: best.configuration,
    },
    eta_seconds: etaSeconds(row, tallies),
    reason: row.reason,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** At the pace so far, and no later than the time that there is. */
function etaSeconds(row: SweepRow, tallies: readonly Tally[]): number | null {
  if (row.finishedAt || row.state === 'paused') return null;
  const ended = tallies.filter(({ state }) => state !== 'running').reduce((sum, { count }) => sum + count, 0);
  const elapsed = (Date.now() - row.createdAt.getTime()) / 1000;
  const limits = [
    ...(ended > 0 ? [(elapsed * (row.trials - ended)) / ended] : []),
    ...(row.timeoutSeconds === null ? [] : [row.timeoutSeconds - elapsed]),
  ];
  return limits.length > 0 ? Math.max(0, Math.round(Math.min(...limits))) : null;
}

/** What is known of sweeps and their trials. */
export function createSweepStore({ prisma }: Database) {
  async function complete(row: SweepRow) {
    const tallies = await prisma.$queryRaw<Tally[]>`
      SELECT state, count(*)::int AS count FROM sweep_trials WHERE sweep_id = ${row.id} GROUP BY 1`;
    const [found] = await prisma.$queryRaw<{ index: number }[]>`
      SELECT index FROM sweep_trials WHERE sweep_id = ${row.id} AND state = 'completed' AND violation = 0
      ORDER BY (losses->>0)::float8, (losses->>1)::float8, (losses->>2)::float8, index LIMIT 1`;
    const index = row.bestTrial ?? found?.index;
    const best =
      index === undefined
        ? null
        : await prisma.sweepTrial.findUnique({ where: { sweepId_index: { sweepId: row.id, index } } });
    return { ...presentSweep(row, tallies, best), front: await frontOf(row) };
  }

  /** Of several objectives what none betters in all, so far. */
  async function frontOf({ id, settings }: SweepRow) {
    const search = settings as Pick<SearchPlan, 'objectives'>;
    if (objectivesOf(search).length === 1) return [];
    const rows = await prisma.sweepTrial.findMany({
      where: { sweepId: id, state: 'completed', violation: 0 },
      orderBy: { index: 'asc' },
    });
    return describeFront(search, bestTrials(rows.map(toTrial)));
  }

  async function find(id: string): Promise<SweepRow> {
    const row = await prisma.sweep.findUnique({ where: { id } });
    if (row) return row;
    throw new ServiceError('sweep_not_found', `There is no sweep "${id.slice(0, 100)}". GET /sweeps lists them.`);
  }

  return {
    /** @throws ServiceError `sweep_not_found` */
    get: async (id: string) => complete(await find(id)),

    /** The sweep of a job, once it has begun. */
    async findOfJob(jobId: string) {
      const row = await prisma.sweep.findUnique({ where: { jobId } });
      return row ? complete(row) : undefined;
    },

    async list(
      { models, ...filter }: { model?: string; models?: readonly string[]; state?: SweepState },
      page: { limit: number; cursor?: string },
    ) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.sweep.findMany({
            where: { ...filter, ...whereModels(models) },
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.sweep.findUnique({ where: { id } }),
      });
      return { items: await Promise.all(rows.map(complete)), next_cursor };
    },

    /** @throws ServiceError `sweep_not_found` */
    async listTrials(sweepId: string, filter: { state?: TrialState }, page: { limit: number; cursor?: string }) {
      await find(sweepId);
      const before = page.cursor === undefined ? undefined : Number(page.cursor);
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.sweepTrial.findMany({
            where: {
              sweepId,
              state: filter.state,
              ...(before === undefined ? {} : { index: { lte: before } }),
            },
            orderBy: { index: 'desc' },
            take,
          }),
        idOf: (row) => String(row.index),
        find: async (cursor) => /^\d{1,9}$/.test(cursor),
      });
      return { items: rows.map(presentTrial), next_cursor };
    },

    /** Trials that have changed since a time, those that changed first coming first. */
    async changedTrials(sweepId: string, since: Date, most: number): Promise<(PresentedTrial & { updatedAt: Date })[]> {
      const rows = await prisma.sweepTrial.findMany({
        where: { sweepId, updatedAt: { gt: since } },
        orderBy: [{ updatedAt: 'asc' }, { index: 'asc' }],
        take: most,
      });
      return rows.map((row) => ({ ...presentTrial(row), updatedAt: row.updatedAt }));
    },
  };
}

export type SweepStore = ReturnType<typeof createSweepStore>;
