import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseDatasets } from '../retention/dataset-holds.js';
import { isJobId } from './job.js';
import { removeIngestionStaging, type IngestionContext } from '../datasets/ingestion.js';

/** Removes what a job has staged, and lets go of the datasets that it read; for a job that has ended, in whatever way. Repeatable. */
export async function cleanUpJob(jobId: string, context: IngestionContext): Promise<void> {
  if (!isJobId(jobId)) return;
  await rm(join(context.folders.modelStaging, jobId), { recursive: true, force: true });
  await removeIngestionStaging(context, jobId);
  await releaseDatasets(context.database, jobId);
}
