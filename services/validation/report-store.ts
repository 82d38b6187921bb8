import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { readPage } from '../database/read-page.js';
import { queryRows, quoteText, withDuckDb } from '../duckdb.js';
import { REPORT_ROWS_FOLDER } from './validate-dataset.js';
import type { ValidationReport } from './validation-report.js';
import { bringFolder, dropShared } from '../storage/shared-files.js';

type ReportRow = Prisma.ValidationReportGetPayload<object>;

/** A report as it is answered, with the time at which it was first made. */
export type StoredReport = ValidationReport & { created_at: string };

const stored = (row: ReportRow): StoredReport => ({
  ...(row.report as unknown as ValidationReport),
  created_at: row.createdAt.toISOString(),
});

/** Keeps a report; the same one is kept once. */
export async function storeReport({ prisma }: Database, report: ValidationReport): Promise<StoredReport> {
  const data = {
    id: report.report_id,
    datasetId: report.dataset_id,
    dataType: report.data_type,
    passed: report.passed,
    report: report as object,
  };
  await prisma.validationReport.createMany({ data: [data], skipDuplicates: true });
  return stored(await prisma.validationReport.findUniqueOrThrow({ where: { id: report.report_id } }));
}

/** The reports of a dataset, or of all, the newest first; without the single checks. */
export async function listReports(
  { prisma }: Database,
  filter: { datasetId?: string },
  page: { limit: number; cursor?: string },
) {
  const { rows, next_cursor } = await readPage(page, {
    read: (take) =>
      prisma.validationReport.findMany({
        where: filter,
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take,
        ...(page.cursor ? { cursor: { id: page.cursor } } : {}),
      }),
    idOf: (row) => row.id,
    find: (id) => prisma.validationReport.findUnique({ where: { id } }),
  });
  const items = rows.map((row) => {
    const { checks: _, ...summary } = stored(row);
    return summary;
  });
  return { items, next_cursor };
}

/** @throws ServiceError `report_not_found` */
export async function findReport({ prisma }: Database, id: string): Promise<StoredReport> {
  const row = await prisma.validationReport.findUnique({ where: { id } });
  if (row) return stored(row);
  throw new ServiceError(
    'report_not_found',
    `There is no validation report "${id.slice(0, 100)}". GET /data/validations lists them.`,
  );
}

/** The newest report of a dataset. @throws ServiceError `report_not_found`, also for a dataset that was never validated */
export async function newestReport({ prisma }: Database, datasetId: string): Promise<StoredReport> {
  const row = await prisma.validationReport.findFirst({
    where: { datasetId },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  });
  if (row) return stored(row);
  throw new ServiceError(
    'report_not_found',
    `The dataset "${datasetId.slice(0, 100)}" has no validation report. POST /data/validate makes one.`,
  );
}

/** The first failing rows of a report, with every reason. */
export async function reportRows(database: Database, folder: string, id: string, limit: number) {
  await findReport(database, id);
  const file = join(folder, REPORT_ROWS_FOLDER, `${id}.parquet`);
  await bringFolder(join(folder, REPORT_ROWS_FOLDER), { only: (name) => name === `${id}.parquet` });
  const items = await withDuckDb((connection) =>
    queryRows<Record<string, unknown>>(
      connection,
      `SELECT * FROM read_parquet(${quoteText(file)}) ORDER BY row_number LIMIT ${limit}`,
    ),
  );
  return { items, next_cursor: null };
}

/** Removes all reports of a dataset that is no longer what they tell of. Repeatable: the rows go before what names them. */
export async function forgetReports({ prisma }: Database, folder: string, datasetId: string): Promise<void> {
  const found = await prisma.validationReport.findMany({ where: { datasetId }, select: { id: true } });
  for (const { id } of found) await dropShared(join(folder, REPORT_ROWS_FOLDER, `${id}.parquet`));
  await prisma.validationReport.deleteMany({ where: { datasetId } });
}
