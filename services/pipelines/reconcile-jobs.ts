import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Container } from '../container.js';
import { abortDeploymentOf } from '../deployments/close-deployment.js';
import { abandonDrillOf } from '../drills/close-drill.js';
import { stopExperimentOf } from '../experiments/close-experiment.js';
import { abandonMaterialization } from '../features/finish-materialization.js';
import { abandonErasureOf } from '../erasure/erase-subject.js';
import { abandonRepairOf } from '../repair/close-repair.js';
import { abandonSweepOf } from '../search/close-sweep.js';
import { cleanUpJob } from '../jobs/clean-up-job.js';
import type { Job } from '../jobs/job.js';
import { startWorkflow } from './start-job.js';
import { withTemporal } from './temporal-client.js';

type ReconcileContext = Pick<
  Container,
  'jobs' | 'temporal' | 'logger' | 'config' | 'database' | 'folders' | 'readModelsConfig' | 'failPoint'
>;

const UNSTARTED_AFTER_MS = 10_000;

/**
 * Closes the gap between the two stores: jobs that were accepted just before the process died are started, and jobs
 * whose workflow ended without saying so (terminated in the Web UI, timed out, gone) get their end. Repeatable.
 */
export async function reconcileJobs(context: ReconcileContext): Promise<void> {
  const { jobs, temporal, logger } = context;
  for (const job of await jobs.listUnstarted(UNSTARTED_AFTER_MS)) {
    await startWorkflow(temporal, job);
    logger.warn({ job_id: job.id }, 'started the workflow of a job that had been accepted but not started');
  }
  for (const id of await jobs.listRunning()) await settleJob(id, context);
}

/** Gives a running job the end of its workflow, if that has one which the workflow could not write itself. */
export async function settleJob(id: string, context: ReconcileContext): Promise<Job | undefined> {
  const end = await endOfWorkflow(id, context.temporal);
  if (end) {
    await cleanUpJob(id, context);
    await abortDeploymentOf(id, context);
    await stopExperimentOf(id, context);
    await abandonDrillOf(id, context);
    await abandonMaterialization(id, context);
    await abandonErasureOf(id, context);
    await abandonSweepOf(id, context);
    await abandonRepairOf(id, context);
    await context.jobs.finish(id, end);
  }
  return context.jobs.get(id);
}

async function endOfWorkflow(id: string, temporal: Client) {
  try {
    const { status } = await withTemporal(temporal, () => temporal.workflow.getHandle(id).describe(), 1000);
    if (status.name === 'TERMINATED')
      return {
        status: 'cancelled' as const,
        error: { code: 'job_terminated', detail: 'The workflow was terminated by an operator.' },
      };
    if (status.name === 'CANCELLED') return { status: 'cancelled' as const };
    if (status.name === 'TIMED_OUT')
      return {
        status: 'failed' as const,
        error: { code: 'job_timeout', detail: 'The workflow ran into its time limit.' },
      };
    if (status.name === 'FAILED')
      return {
        status: 'failed' as const,
        error: { code: 'internal_error', detail: 'The workflow failed; the Temporal Web UI shows why.' },
      };
    return undefined;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      return {
        status: 'failed' as const,
        error: {
          code: 'job_lost',
          detail: 'Temporal does not know the workflow of this job any more. Start the job again.',
        },
      };
    }
    throw error;
  }
}
