import { ServiceError } from '../../core/errors.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import type { SourceRequest } from './connector.js';

/** How far a source was read. */
export interface Watermark {
  id: string;
  /** 0 for a source that was not read yet. */
  version: number;
  value: string | undefined;
  seen: readonly string[];
}

/** Where a reading has come to. */
export interface ReadTo {
  value: string;
  /** Keys of the rows at the value, and of those as far behind it as rows may still appear. */
  seen: readonly string[];
}

/**
 * The watermark of a source: what is read (table or query), into which type of data, by which column. Columns that are left out and the overlap
 * change nothing of it.
 * @param label of the source, without credentials
 */
export async function findWatermark(
  { prisma }: Database,
  { dataType, options }: SourceRequest,
  label: string,
): Promise<Watermark> {
  const id = `wm_${digestOf([dataType, label, options.table, options.query, options.cursor_column].map((part) => part ?? null)).slice(0, 20)}`;
  const row = await prisma.sourceWatermark.findUnique({ where: { id } });
  return { id, version: row?.version ?? 0, value: row?.value, seen: row?.seen ?? [] };
}

/**
 * Writes down what the watermark will be once the rows are in a dataset. Each attempt has its own, so that one that was given up changes nothing.
 * @returns its id, for `commitPulls`
 */
export async function notePull(
  { prisma }: Database,
  pull: { request: SourceRequest; label: string; attempt: string; from: Watermark; to: ReadTo },
): Promise<string> {
  const { request, label, attempt, from, to } = pull;
  const id = `pull_${digestOf([request.jobId, attempt]).slice(0, 20)}`;
  const data = {
    id,
    jobId: request.jobId,
    watermarkId: from.id,
    baseVersion: from.version,
    dataType: request.dataType,
    source: label,
    cursorColumn: request.options.cursor_column ?? '',
    value: to.value,
    seen: [...to.seen],
  };
  await prisma.sourcePull.createMany({ data: [data], skipDuplicates: true });
  return id;
}

/**
 * Moves the watermarks to where the parts of a dataset were read to; in the transaction that commits the dataset, so that no row is skipped and
 * none is read twice, whatever is repeated.
 * @param pulls of the fetched parts
 * @throws ServiceError `job_conflict` when another ingestion has moved the watermark meanwhile: its dataset has the same rows
 */
export async function commitPulls(
  transaction: Prisma.TransactionClient,
  { jobId, datasetId, pulls }: { jobId: string; datasetId: string; pulls: readonly string[] },
): Promise<void> {
  const noted = await transaction.sourcePull.findMany({ where: { id: { in: [...pulls] } } });
  for (const { watermarkId, baseVersion, value, seen, dataType, source, cursorColumn } of noted) {
    const next = { value, seen, version: baseVersion + 1, datasetId, updatedAt: new Date() };
    const { count } =
      baseVersion === 0
        ? await transaction.sourceWatermark.createMany({
            data: [{ id: watermarkId, dataType, source, cursorColumn, ...next }],
            skipDuplicates: true,
          })
        : await transaction.sourceWatermark.updateMany({
            where: { id: watermarkId, version: baseVersion },
            data: next,
          });
    if (count === 0)
      throw new ServiceError(
        'job_conflict',
        'Another ingestion of this source has moved its watermark meanwhile, and its dataset has these rows. Start this one again for those behind them.',
      );
  }
  await transaction.sourcePull.deleteMany({ where: { jobId } });
}
