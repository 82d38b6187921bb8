import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseDatasets } from '../retention/dataset-holds.js';
import { isJobId } from './job.js';
import { monitoringFolder } from '../monitors/plan-monitoring.js';
import { datasetIdOf, removeIngestionStaging, type IngestionContext } from '../datasets/ingestion.js';
import { dropShared } from '../storage/shared-files.js';

/** A snapshot that was not admitted stays no longer than its job. */
async function removeUnregistered(jobId: string, { database, folders }: IngestionContext): Promise<void> {
  const id = datasetIdOf(jobId);
  if (await database.prisma.dataset.findUnique({ where: { id } })) return;
  await dropShared(join(folders.datasets, id));
}

/** Removes what a job has staged, and lets go of the datasets that it read; for a job that has ended, in whatever way. Repeatable. */
export async function cleanUpJob(jobId: string, context: IngestionContext): Promise<void> {
  if (!isJobId(jobId)) return;
  await dropShared(join(context.folders.modelStaging, jobId));
  await removeIngestionStaging(context, jobId);
  await rm(monitoringFolder(context.folders.datasets, jobId), { recursive: true, force: true });
  await removeUnregistered(jobId, context);
  await releaseDatasets(context.database, jobId);
}
