import type { Client } from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import type { JobStore } from '../jobs/job-store.js';
import { cancelJob } from '../pipelines/cancel-job.js';
import type { Logger } from '../telemetry/logger.js';
import { closeExperiment } from './close-experiment.js';
import { experimentJobIdOf } from './open-experiment.js';

/**
 * Ends an experiment at once, without waiting for its workflow. Repeatable.
 * @throws ServiceError `experiment_not_found`
 */
export async function stopExperiment(
  id: string,
  { database, jobs, temporal, logger }: { database: Database; jobs: JobStore; temporal: Client; logger: Logger },
): Promise<void> {
  const experiment = await database.prisma.experiment.findUnique({ where: { id } });
  const jobId = experiment?.jobId ?? experimentJobIdOf(id);
  if (!experiment && !(await database.prisma.job.findUnique({ where: { id: jobId } })))
    throw new ServiceError(
      'experiment_not_found',
      `There is no experiment "${id.slice(0, 100)}". GET /experiments lists them.`,
    );
  if (experiment?.finishedAt) return;
  if (experiment)
    await closeExperiment(
      { experimentId: id, state: 'stopped', reason: 'The experiment was stopped by a person.' },
      { database },
    );
  // One that has not begun yet is stopped by its workflow; for all others that has nothing left to do.
  const cancelled = cancelJob(jobId, { jobs, temporal });
  if (!experiment) return cancelled;
  void cancelled.catch((error: unknown) =>
    logger.warn({ err: error, job_id: jobId }, 'the workflow of the experiment could not be told'),
  );
}
