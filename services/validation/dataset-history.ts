import type { Database } from '../database/database.js';
import type { DatasetManifest } from '../datasets/manifest.js';

/** The snapshot that is validated: registered, or about to be. */
export interface ValidatedDataset {
  id: string;
  dataType: string;
  manifest: DatasetManifest;
  createdAt: Date;
}

/** Snapshots that are looked through for one that passed. */
const MOST_LOOKED_AT = 50;

const earlier = ({ id, dataType, createdAt }: ValidatedDataset) => ({
  dataType,
  id: { not: id },
  createdAt: { lt: createdAt },
});

/** The rows of the snapshots before this one, the newest first. */
export async function earlierVolumes(
  { prisma }: Database,
  dataset: ValidatedDataset,
  snapshots: number,
): Promise<number[]> {
  const found = await prisma.dataset.findMany({
    where: earlier(dataset),
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: snapshots,
    select: { rows: true },
  });
  return found.map(({ rows }) => rows);
}

/** The newest snapshot before this one whose newest report on what its data type declares, where it has one, says that it passed. */
export async function lastGoodSnapshot(
  { prisma }: Database,
  dataset: ValidatedDataset,
): Promise<{ id: string; manifest: DatasetManifest } | undefined> {
  const found = await prisma.dataset.findMany({
    where: earlier(dataset),
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: MOST_LOOKED_AT,
    select: { id: true, manifest: true },
  });
  const reports = await prisma.validationReport.findMany({
    // What a request asked for on its own account says nothing of whether a snapshot is good.
    where: { datasetId: { in: found.map(({ id }) => id) }, report: { path: ['declared'], equals: true } },
    orderBy: { createdAt: 'asc' },
    select: { datasetId: true, passed: true },
  });
  const passed = new Map(reports.map((report) => [report.datasetId, report.passed]));
  const good = found.find(({ id }) => passed.get(id) !== false);
  return good && { id: good.id, manifest: good.manifest as unknown as DatasetManifest };
}
