import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { isReproduced } from '../replay-verdict.js';
import { jobIdOf, settingsOf } from './open-deployment.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';

function present(row: Prisma.DeploymentGetPayload<object>) {
  return {
    deployment_id: row.id,
    model: row.model,
    version: row.version,
    previous_version: row.previousVersion,
    strategy: row.strategy,
    settings: row.settings,
    state: row.state,
    steps: row.steps,
    reason: row.reason,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** One window of a rollout: what was shown, by which rule it was judged, and the verdict. */
function presentWindow({ window, createdAt, ...stored }: Prisma.DeploymentEvidenceGetPayload<object>) {
  const { evidence, rule, verdict } = stored;
  // The verdict follows from what is kept: it is judged anew each time that it is read.
  const reproduced = isReproduced(judgeRollout, stored);
  return { window, at: createdAt.toISOString(), ...(verdict as object), evidence, rule, reproduced };
}

export function createDeploymentStore({ prisma }: Database) {
  async function find(id: string) {
    const row = (await prisma.deployment.findUnique({ where: { id } })) ?? (await findAccepted(id));
    if (row) return row;
    throw new ServiceError(
      'deployment_not_found',
      `There is no deployment "${id.slice(0, 100)}". GET /deployments lists them.`,
    );
  }

  /** A rollout whose workflow has not come to write it down: accepted a moment ago, or ended before it could. */
  async function findAccepted(id: string): Promise<Prisma.DeploymentGetPayload<object> | undefined> {
    const job = await prisma.job.findUnique({ where: { id: jobIdOf(id), type: 'deploy' } });
    if (!job) return undefined;
    const { strategy = 'immediate', ...wanted } = job.request as { version: string; strategy?: string };
    const state = { completed: 'failed', failed: 'failed', cancelled: 'aborted' }[job.status] ?? 'pending';
    const { detail } = (job.error ?? {}) as { detail?: string };
    const { model, createdAt, finishedAt } = job;
    return {
      id,
      model: model ?? '',
      version: wanted.version,
      previousVersion: null,
      strategy,
      settings: settingsOf({ ...wanted, strategy }) as Prisma.JsonObject,
      state,
      steps: [],
      reason: detail ?? null,
      slowUs: null,
      jobId: job.id,
      createdAt,
      finishedAt,
    };
  }

  return {
    /** @throws ServiceError `deployment_not_found` */
    find,

    /** With the traffic as it is split now, the latest window of evidence, and what persons wanted of it. */
    async get(id: string) {
      const row = await find(id);
      const route = await prisma.route.findUnique({ where: { model: row.model } });
      const latest = await prisma.deploymentEvidence.findFirst({
        where: { deploymentId: id },
        orderBy: { window: 'desc' },
      });
      const traffic = route && {
        version: route.version,
        candidate_version: route.candidateVersion,
        phase: route.phase,
        share: route.share,
      };
      const commands = await prisma.deploymentCommand.findMany({ where: { deploymentId: id }, orderBy: { at: 'asc' } });
      return {
        ...present(row),
        traffic,
        latest_evidence: latest && presentWindow(latest),
        commands: commands.map(({ action, by, note, detail, refused, at }) => ({
          action,
          by,
          note,
          detail,
          refused,
          at: at.toISOString(),
        })),
      };
    },

    async evidence(id: string, page: { limit: number; cursor?: string }) {
      await find(id);
      const keyOf = (cursor: string) => ({
        deploymentId_window: { deploymentId: id, window: /^\d{1,9}$/.test(cursor) ? Number(cursor) : -1 },
      });
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.deploymentEvidence.findMany({
            where: { deploymentId: id },
            orderBy: { window: 'desc' },
            take,
            ...(page.cursor ? { cursor: keyOf(page.cursor) } : {}),
          }),
        idOf: (row) => String(row.window),
        find: (cursor) => prisma.deploymentEvidence.findUnique({ where: keyOf(cursor) }),
      });
      return { items: rows.map(presentWindow), next_cursor };
    },

    /** @param models only of these; of all without it */
    async list(page: { limit: number; cursor?: string }, models?: readonly string[]) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.deployment.findMany({
            where: whereModels(models),
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.deployment.findUnique({ where: { id } }),
      });
      return { items: rows.map(present), next_cursor };
    },
  };
}

export type DeploymentStore = ReturnType<typeof createDeploymentStore>;
