import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { JobStore } from '../jobs/job-store.js';
import { withTemporal } from './temporal-client.js';

/** Asks the workflow of a job to stop. One that Temporal does not run has nothing to stop, so the job ends here. */
export async function cancelJob(id: string, { jobs, temporal }: { jobs: JobStore; temporal: Client }): Promise<void> {
  try {
    await withTemporal(temporal, () => temporal.workflow.getHandle(id).cancel());
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    await jobs.finish(id, { status: 'cancelled' });
  }
}
