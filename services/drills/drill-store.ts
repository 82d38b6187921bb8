import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { DrillTrial } from './judge-trial.js';
import { drillJobIdOf } from './open-drill.js';

function present(row: Prisma.DrillGetPayload<object>) {
  return {
    drill_id: row.id,
    kind: row.kind,
    model: row.model,
    state: row.state,
    settings: row.settings,
    trials: row.trials,
    result: row.result,
    reason: row.reason,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

export function createDrillStore({ prisma }: Database) {
  /** A drill whose workflow has not come to write it down: accepted a moment ago, or ended before it could. */
  async function findAccepted(id: string): Promise<Prisma.DrillGetPayload<object> | undefined> {
    const job = await prisma.job.findUnique({ where: { id: drillJobIdOf(id), type: 'drill' } });
    if (!job) return undefined;
    const { kind = 'rollout' } = job.request as { kind?: string };
    const { detail = null } = (job.error ?? {}) as { detail?: string | null };
    const state = { failed: 'failed', completed: 'failed', cancelled: 'cancelled' }[job.status] ?? 'pending';
    const { model, createdAt, finishedAt, request } = job;
    return {
      id,
      kind,
      model: model ?? '',
      state,
      settings: request,
      trials: [],
      result: null,
      reason: detail,
      jobId: job.id,
      createdAt,
      finishedAt,
    };
  }

  return {
    async get(id: string) {
      const row = (await prisma.drill.findUnique({ where: { id } })) ?? (await findAccepted(id));
      if (row) return present(row);
      throw new ServiceError('drill_not_found', `There is no drill "${id.slice(0, 100)}". GET /drills lists them.`);
    },

    async list(page: { limit: number; cursor?: string }, models?: readonly string[]) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.drill.findMany({
            where: whereModels(models),
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.drill.findUnique({ where: { id } }),
      });
      return { items: rows.map(present), next_cursor };
    },
  };
}

export type DrillStore = ReturnType<typeof createDrillStore>;

/** Brings what the latest drills found into the metrics, so that an alert can be made of it. */
export async function noteDrills({ prisma }: Database, metrics: Metrics): Promise<void> {
  const ended = { state: { in: ['passed', 'failed'] } };
  const rollout = await prisma.drill.findFirst({
    where: { ...ended, kind: 'rollout' },
    orderBy: { createdAt: 'desc' },
  });
  const replays = await prisma.drill.findMany({
    where: { ...ended, kind: 'aa_replay' },
    orderBy: { createdAt: 'desc' },
    distinct: ['model'],
  });
  for (const { kind, model, state, finishedAt } of [...(rollout ? [rollout] : []), ...replays]) {
    metrics.drillPassed.set({ kind, model }, state === 'passed' ? 1 : 0);
    metrics.drillFinished.set({ kind, model }, (finishedAt?.getTime() ?? 0) / 1000);
  }
  // Of the latest drill only: it may have had fewer faults than the one before.
  for (const metric of [metrics.drillDetection, metrics.drillSafety]) metric.reset();
  for (const { fault, strategy, ...trial } of (rollout?.trials ?? []) as unknown as DrillTrial[]) {
    if (trial.seconds_to_detection !== null)
      metrics.drillDetection.set({ fault, strategy }, trial.seconds_to_detection);
    if (trial.seconds_to_safety !== null) metrics.drillSafety.set({ fault, strategy }, trial.seconds_to_safety);
  }
  for (const { model, result } of replays) {
    const { false_alarms: alarms } = (result ?? {}) as { false_alarms?: { rate: number } };
    if (alarms) metrics.drillFalseAlarms.set({ model }, alarms.rate);
  }
}
