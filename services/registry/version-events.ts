import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

/** A change of the state of a version. */
export interface VersionEvent {
  event_id: string;
  /** Null for the first. */
  from: string | null;
  to: string;
  by: string;
  reason: string | null;
  deployment_id: string | null;
  at: string;
}

export function presentEvent(row: Prisma.VersionEventGetPayload<object>): VersionEvent {
  return {
    event_id: `evt-${row.id}`,
    from: row.fromState,
    to: row.toState,
    by: row.subject,
    reason: row.reason,
    deployment_id: row.deploymentId,
    at: row.at.toISOString(),
  };
}

/** A version by its name. */
export interface VersionName {
  model: string;
  version: string;
}

/** Whether a version has had all the traffic of its model at some time. */
export async function hasServed(prisma: Prisma.TransactionClient, { model, version }: VersionName): Promise<boolean> {
  const where = { model, version, toState: { in: ['production', 'retired'] } };
  return (await prisma.versionEvent.findFirst({ where, select: { id: true } })) !== null;
}

/** What became of a version, newest first. */
export async function listEvents(
  { prisma }: Database,
  { model, version }: VersionName,
  page: { limit: number; cursor?: string },
) {
  const idOf = (cursor: string) => BigInt(/^evt-(\d{1,18})$/.exec(cursor)?.[1] ?? -1);
  const { rows, next_cursor } = await readPage(page, {
    read: (take) =>
      prisma.versionEvent.findMany({
        where: { model, version },
        orderBy: { id: 'desc' },
        take,
        ...(page.cursor ? { cursor: { id: idOf(page.cursor) } } : {}),
      }),
    idOf: (row) => `evt-${row.id}`,
    find: (cursor) => prisma.versionEvent.findFirst({ where: { id: idOf(cursor), model, version } }),
  });
  return { items: rows.map(presentEvent), next_cursor };
}
