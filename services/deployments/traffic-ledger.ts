import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';

/** Who served a model from a time on, until the next entry. */
export interface TrafficEntry {
  /** The version that answers; null while the model had none. */
  version: string | null;
  candidate_version: string | null;
  phase: string | null;
  /** Percentage of the entities that the candidate answers. */
  share: number;
  deployment_id: string | null;
  /** Those that were under way: their entities are answered by the versions of their arms. */
  experiments: unknown[];
  since: string;
}

function present(row: Prisma.TrafficLedgerGetPayload<object>): TrafficEntry {
  return {
    version: row.version,
    candidate_version: row.candidateVersion,
    phase: row.phase,
    share: row.share,
    deployment_id: row.deploymentId,
    experiments: row.experiments as unknown[],
    since: row.at.toISOString(),
  };
}

/** @returns who served the model at a time, or null when nothing did as yet */
export async function trafficAsOf({ prisma }: Database, model: string, at: Date): Promise<TrafficEntry | null> {
  const row = await prisma.trafficLedger.findFirst({
    where: { model, at: { lte: at } },
    orderBy: [{ at: 'desc' }, { id: 'desc' }],
  });
  return row ? present(row) : null;
}

/** All entries of a model, newest first. */
export async function listTraffic({ prisma }: Database, model: string, page: { limit: number; cursor?: string }) {
  const idOf = (cursor: string) => (/^\d{1,18}$/.test(cursor) ? BigInt(cursor) : -1n);
  const { rows, next_cursor } = await readPage(page, {
    read: (take) =>
      prisma.trafficLedger.findMany({
        where: { model },
        orderBy: { id: 'desc' },
        take,
        ...(page.cursor ? { cursor: { id: idOf(page.cursor) } } : {}),
      }),
    idOf: (row) => String(row.id),
    find: (id) => prisma.trafficLedger.findUnique({ where: { id: idOf(id) } }),
  });
  return { items: rows.map(present), next_cursor };
}
