import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage, readPosition, type PageRequest } from '../database/read-page.js';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import type { Preprocessor } from '../preprocessing/fit-preprocessor.js';
import { PREPROCESSOR_FILE } from '../preprocessing/preprocess-dataset.js';
import { readStaged } from '../storage/staged-file.js';
import { DATA_FILES, QUARANTINE_FILE, type DatasetManifest } from './manifest.js';
import { bringFolder } from '../storage/shared-files.js';

type DatasetRow = Prisma.DatasetGetPayload<object>;

function summary(row: DatasetRow) {
  return {
    dataset_id: row.id,
    data_type: row.dataType,
    rows: row.rows,
    quarantined_rows: row.quarantinedRows,
    digest: row.digest,
    source: (row.manifest as unknown as DatasetManifest).source,
    job_id: row.jobId,
    created_at: row.createdAt.toISOString(),
  };
}

/** Reads datasets: what they are, and their rows. */
export function createDatasetStore({ prisma }: Database, folder: string) {
  async function find(id: string): Promise<DatasetRow> {
    const row = await prisma.dataset.findUnique({ where: { id } });
    if (!row)
      throw new ServiceError(
        'dataset_not_found',
        `There is no dataset "${id.slice(0, 100)}". GET /data/datasets lists them.`,
      );
    return row;
  }
  /** A page of the rows of a snapshot, which never change; its cursor is how many rows come before. */
  const readRows = async (id: string, file: string, order: string, { limit, cursor }: PageRequest) => {
    const before = cursor === undefined ? 0n : readPosition(cursor);
    await find(id);
    await bringFolder(join(folder, id));
    const rows = await withDuckDb((connection) =>
      queryRows<Record<string, unknown>>(
        connection,
        `SELECT * FROM read_parquet(${quoteText(join(folder, id, file))}) ${order} LIMIT ${limit + 1} OFFSET ${before}`,
      ),
    );
    return {
      items: rows.slice(0, limit),
      next_cursor: rows.length > limit ? String(before + BigInt(limit)) : null,
    };
  };

  return {
    async list(filter: { dataType?: string }, page: { limit: number; cursor?: string }) {
      const { rows, next_cursor } = await readPage(page, {
        read: (take) =>
          prisma.dataset.findMany({
            where: filter,
            orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
            take,
            ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
          }),
        idOf: (row) => row.id,
        find: (id) => prisma.dataset.findUnique({ where: { id } }),
      });
      return { items: rows.map(summary), next_cursor };
    },
    async get(id: string) {
      const row = await find(id);
      const manifest = row.manifest as unknown as DatasetManifest;
      return {
        ...summary(row),
        bytes: manifest.bytes,
        columns: manifest.columns,
        quality: manifest.quality,
        lineage: manifest.lineage ?? null,
      };
    },
    /** In the order of the source. */
    rows: (id: string, page: PageRequest) => readRows(id, DATA_FILES, '', page),
    /** What a preprocessed dataset was made by. */
    async preprocessor(id: string) {
      await find(id);
      await bringFolder(join(folder, id), { only: (name) => name === PREPROCESSOR_FILE });
      const stored = await readStaged(join(folder, id, PREPROCESSOR_FILE));
      if (!stored)
        throw new ServiceError('dataset_not_found', `The dataset ${id} was not made by POST /data/preprocess.`);
      return JSON.parse(stored.toString('utf8')) as Preprocessor;
    },
    /** The rows that failed a check, with the place in the source, every reason, and the raw content. */
    quarantine: (id: string, page: PageRequest) => readRows(id, QUARANTINE_FILE, 'ORDER BY row_number', page),
  };
}
