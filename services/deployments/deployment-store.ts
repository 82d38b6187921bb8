import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

function present(row: Prisma.DeploymentGetPayload<object>) {
  return {
    deployment_id: row.id,
    model: row.model,
    version: row.version,
    previous_version: row.previousVersion,
    strategy: row.strategy,
    state: row.state,
    steps: row.steps,
    reason: row.reason,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

export function createDeploymentStore({ prisma }: Database) {
  return {
    async get(id: string) {
      const row = await prisma.deployment.findUnique({ where: { id } });
      if (!row)
        throw new ServiceError(
          'deployment_not_found',
          `There is no deployment "${id.slice(0, 100)}". GET /deployments lists them.`,
        );
      return present(row);
    },
    async list(page: { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.deployment.findMany({
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
