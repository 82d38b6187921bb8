import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { frozenUntilMs, type FreezeWindow } from '../../core/policy/freeze.js';
import type { freezeRequestSchema } from '../../core/schemas/freeze.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

/** What keeps a model's traffic as it is now. */
export interface ActiveFreeze {
  name: string;
  reason: string;
  /** Milliseconds since 1970. */
  untilMs: number;
}

function present(row: Prisma.TrafficFreezeGetPayload<object>) {
  const untilMs = frozenUntilMs([row.window as unknown as FreezeWindow], Date.now());
  return {
    name: row.name,
    model: row.model,
    reason: row.reason,
    window: row.window,
    frozen_until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
    created_by: row.createdBy,
    created_at: row.createdAt.toISOString(),
  };
}

/** The freeze of a model that lasts longest; undefined while there is none. */
export async function findFreeze({ prisma }: Database, model: string): Promise<ActiveFreeze | undefined> {
  const rows = await prisma.trafficFreeze.findMany({ where: { OR: [{ model: null }, { model }] } });
  const active = rows.flatMap(({ name, reason, window }) => {
    const untilMs = frozenUntilMs([window as unknown as FreezeWindow], Date.now());
    return untilMs === undefined ? [] : [{ name, reason, untilMs }];
  });
  return active.toSorted((a, b) => b.untilMs - a.untilMs)[0];
}

/** One sentence for a person who waits for it. */
export const describeFreeze = ({ name, reason, untilMs }: ActiveFreeze) =>
  `Traffic is frozen until ${new Date(untilMs).toISOString()} by "${name}": ${reason}`;

/**
 * Refuses what would change traffic now.
 * @throws ServiceError `traffic_frozen`
 */
export async function refuseFrozen(database: Database, model: string): Promise<void> {
  const freeze = await findFreeze(database, model);
  if (freeze)
    throw new ServiceError(
      'traffic_frozen',
      `${describeFreeze(freeze)} Wait, delete the freeze, or send "override_freeze": true.`,
    );
}

export function createFreezeStore({ prisma }: Database) {
  return {
    /** Creates the freeze, or changes it. */
    async put(name: string, { model, reason, window }: z.output<typeof freezeRequestSchema>, createdBy: string) {
      const data = { model: model ?? null, reason, window, createdBy };
      return present(await prisma.trafficFreeze.upsert({ where: { name }, create: { name, ...data }, update: data }));
    },

    /** @throws ServiceError `freeze_not_found` */
    async remove(name: string): Promise<void> {
      const { count } = await prisma.trafficFreeze.deleteMany({ where: { name } });
      if (count === 0)
        throw new ServiceError(
          'freeze_not_found',
          `There is no freeze "${name.slice(0, 100)}". GET /freezes lists them.`,
        );
    },

    async list(page: { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.trafficFreeze.findMany({
            orderBy: [{ createdAt: 'desc' }, { name: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { name: page.cursor } } : {}),
          }),
        idOf: (row) => row.name,
        find: (name) => prisma.trafficFreeze.findUnique({ where: { name } }),
      });
      return { items: rows.map(present), next_cursor };
    },
  };
}
