import { judgeExperiment } from '../../core/decisions/judge-experiment.js';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { isReproduced } from '../replay-verdict.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';
import { BUCKETS, type ExperimentArmRoute } from './experiment-arms.js';
import { experimentJobIdOf } from './open-experiment.js';

function present(row: Prisma.ExperimentGetPayload<object>) {
  const arms = row.arms as unknown as ExperimentArmRoute[];
  return {
    experiment_id: row.id,
    model: row.model,
    state: row.state,
    arms: arms.map(({ arm, version, weight, retired }) => ({ arm, version, weight, retired })),
    control: row.control,
    layer: row.layer,
    slice: { first_bucket: row.firstBucket, end_bucket: row.endBucket, buckets: BUCKETS },
    allocation: row.allocation,
    settings: row.settings,
    plan: row.plan,
    verdict: row.verdict,
    reason: row.reason,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

export function createExperimentStore({ prisma }: Database) {
  /** An experiment whose workflow has not come to write it down: accepted a moment ago, or ended before it could. */
  async function findAccepted(id: string): Promise<Prisma.ExperimentGetPayload<object> | undefined> {
    const job = await prisma.job.findUnique({ where: { id: experimentJobIdOf(id), type: 'experiment' } });
    if (!job) return undefined;
    const { error, request, model, createdAt, finishedAt } = job;
    const { arms, control, layer } = request as unknown as {
      arms: { arm: string; weight: number }[];
      control?: string;
      layer?: string;
    };
    const { detail = null } = (error ?? {}) as { detail?: string | null };
    const state = { completed: 'failed', failed: 'failed', cancelled: 'stopped' }[job.status] ?? 'pending';
    return {
      id,
      model: model ?? '',
      state,
      arms: arms.map((arm) => ({ ...arm, retired: false })),
      control: control ?? arms[0]?.arm ?? '',
      settings: request,
      plan: {},
      layer: layer ?? model ?? '',
      allocation: null,
      firstBucket: 0,
      endBucket: 0,
      verdict: null,
      reason: detail,
      jobId: job.id,
      createdAt,
      finishedAt,
    };
  }

  return {
    /** With what each arm has shown by the latest window. */
    async get(id: string) {
      const row = (await prisma.experiment.findUnique({ where: { id } })) ?? (await findAccepted(id));
      if (!row)
        throw new ServiceError(
          'experiment_not_found',
          `There is no experiment "${id.slice(0, 100)}". GET /experiments lists them.`,
        );
      const latest = await prisma.experimentEvidence.findFirst({
        where: { experimentId: id },
        orderBy: { window: 'desc' },
      });
      return { ...present(row), latest_evidence: latest && presentWindow(latest) };
    },

    /** @param models only of these; of all without it */
    async list(page: { limit: number; cursor?: string }, models?: readonly string[]) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.experiment.findMany({
            where: whereModels(models),
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.experiment.findUnique({ where: { id } }),
      });
      return { items: rows.map(present), next_cursor };
    },
  };
}

/** The verdict follows from what is kept: it is judged anew each time that it is read. */
function presentWindow({ window, createdAt, ...stored }: Prisma.ExperimentEvidenceGetPayload<object>) {
  const { evidence, rule, verdict } = stored;
  const reproduced = isReproduced(judgeExperiment, stored);
  return { window, at: createdAt.toISOString(), ...(verdict as object), evidence, rule, reproduced };
}

export type ExperimentStore = ReturnType<typeof createExperimentStore>;
