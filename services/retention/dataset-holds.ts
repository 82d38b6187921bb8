import { ServiceError } from '../../core/errors.js';
import type { Database, Prisma } from '../database/database.js';
import { versionsOfDataset } from '../lineage/read-lineage.js';

/**
 * Holds datasets for a job, so that nothing deletes them before it has ended. Repeatable.
 * @throws ServiceError `dataset_not_found` where one has just been deleted
 */
export async function holdDatasets({ prisma }: Database, jobId: string, ids: readonly string[]): Promise<void> {
  await prisma.$transaction(async (transaction) => {
    // In one order, so that two jobs never wait for each other; a deletion waits, and then sees the hold.
    for (const datasetId of [...new Set(ids)].sort()) {
      const [row] = await transaction.$queryRaw<{ id: string }[]>`SELECT id FROM datasets WHERE id = ${datasetId} FOR SHARE`;
      if (!row)
        throw new ServiceError('dataset_not_found', `The dataset ${datasetId} was deleted by retention just now. Start the job again.`);
      await transaction.datasetHold.createMany({ data: [{ datasetId, jobId }], skipDuplicates: true });
    }
  });
}

/** Lets go of all that a job has held. Repeatable. */
export async function releaseDatasets({ prisma }: Database, jobId: string): Promise<void> {
  await prisma.datasetHold.deleteMany({ where: { jobId } });
}

/** Why a dataset may not be deleted, or undefined. */
export async function findHold(prisma: Prisma.TransactionClient, id: string): Promise<string | undefined> {
  const hold = await prisma.datasetHold.findFirst({ where: { datasetId: id } });
  if (hold) return `the job ${hold.jobId} reads it`;
  const [version] = await versionsOfDataset(prisma, id);
  return version && `${version.model} ${version.version} learnt from it`;
}
