import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage, type PageRequest } from '../database/read-page.js';

/** What an erasure found, did and left; see `EMPTY_REPORT`. */
export interface ErasureReport {
  /** Rows and keys that went, by store. */
  erased: Record<string, number>;
  /** Every store that was searched afterwards, with what was still there. */
  searched: { store: string; remaining: number; places?: string[] }[];
  /** Versions that learnt from data of the person, and whether their files still name the person. */
  models: { model: string; version: string; state: string; datasets: string[]; names_subject: boolean }[];
  /** Snapshots that were rewritten. */
  datasets: string[];
  not_reachable: string[];
  complete: boolean;
}

/** What no call of this service can reach. It is told, not hidden. */
const NOT_REACHABLE = [
  'Backups of PostgreSQL and of the data folders, and the write-ahead log until it is recycled.',
  'Histories of Temporal: this service writes no entity into them, but filters of a training request or a query of an ingestion that named the person stay there until the retention of the namespace.',
  'Log files, and whatever receivers of webhooks and callers of the API have kept.',
  'Source systems and files that data was ingested from: the next ingestion brings back what they still have.',
];
export const EMPTY_REPORT: ErasureReport = {
  erased: {},
  searched: [],
  models: [],
  datasets: [],
  not_reachable: NOT_REACHABLE,
  complete: false,
};

/** The job of an erasure follows from it. */
export const erasureKeyOf = (erasureId: string) => `erasure:${erasureId}`;

function present(row: Prisma.ErasureGetPayload<object>) {
  return {
    erasure_id: row.id,
    state: row.state,
    report: { ...EMPTY_REPORT, ...(row.report as unknown as Partial<ErasureReport>) },
    requested_by: row.requestedBy,
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

export function createErasureStore({ prisma }: Database) {
  return {
    /** Writes down whom to erase; a second call for the same person, before the first has ended, is the same erasure. */
    async request(subject: string, requestedBy: string): Promise<string> {
      const id = `era-${randomBytes(10).toString('hex')}`;
      await prisma.erasure.createMany({ data: [{ id, subject, state: 'pending', requestedBy }], skipDuplicates: true });
      return (await prisma.erasure.findFirstOrThrow({ where: { subject } })).id;
    },
    /** @throws ServiceError `erasure_not_found` */
    async get(id: string) {
      const row = await prisma.erasure.findUnique({ where: { id } });
      if (row) return present(row);
      throw new ServiceError('erasure_not_found', `There is no erasure "${id.slice(0, 64)}". GET /erasures lists them.`);
    },
    async list(page: PageRequest) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.erasure.findMany({
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.erasure.findUnique({ where: { id } }),
      });
      return { items: rows.map(present), next_cursor };
    },
  };
}

export type ErasureStore = ReturnType<typeof createErasureStore>;
