import { ServiceError } from '../../core/errors.js';
import type { RepairState } from '../../core/schemas/repair.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { whereModels } from '../database/where-models.js';
import { REPAIR_STEPS } from './note-step.js';

interface RepairFilter {
  model?: string;
  models?: readonly string[];
  state?: RepairState;
}

function present(row: Prisma.RepairGetPayload<object>) {
  return {
    repair_id: row.id,
    model: row.model,
    state: row.state,
    alert_id: row.alertId,
    trigger: row.trigger,
    requested_by: row.requestedBy,
    since: row.since?.toISOString() ?? null,
    former_version: row.formerVersion,
    new_version: row.newVersion,
    reason: row.reason,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** What was repaired, and the story of each repair. */
export function createRepairStore({ prisma }: Database) {
  return {
    /** @param request `models`: of these only; of all without it */
    async list({ limit, cursor, models, ...filter }: RepairFilter & { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(
        { limit, cursor },
        {
          read: (take) =>
            prisma.repair.findMany({
              where: { ...filter, ...whereModels(models) },
              orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
              take,
              ...(cursor ? { cursor: { id: cursor } } : {}),
            }),
          idOf: ({ id }) => id,
          find: (id) => prisma.repair.findUnique({ where: { id } }),
        },
      );
      return { items: rows.map(present), next_cursor };
    },

    async get(id: string) {
      const row = await prisma.repair.findUnique({ where: { id } });
      if (!row)
        throw new ServiceError(
          'repair_not_found',
          `There is no repair "${id.slice(0, 100)}". GET /repairs lists them.`,
        );
      const rows = await prisma.repairStep.findMany({ where: { repairId: id } });
      const order = (step: string) => (REPAIR_STEPS as readonly string[]).indexOf(step);
      const steps = rows.toSorted((a, b) => order(a.step) - order(b.step));
      return {
        ...present(row),
        /** What happened, as one reads it. */
        story: steps.map(({ summary }) => summary).join(' '),
        steps: steps.map(({ step, summary, detail, at }) => ({
          step,
          summary,
          detail: detail as Record<string, unknown>,
          at: at.toISOString(),
        })),
      };
    },
  };
}

export type RepairStore = ReturnType<typeof createRepairStore>;
