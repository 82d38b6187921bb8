import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import { cancelJob } from '../pipelines/cancel-job.js';
import { withTemporal } from '../pipelines/temporal-client.js';
import type { JobStore } from '../jobs/job-store.js';

export type RolloutCommand =
  { action: 'pause' | 'resume' | 'promote' | 'abort' } | { action: 'set_ladder'; steps: readonly number[] };

/**
 * Tells a rollout that is under way what a person wants of it.
 * @throws ServiceError `deployment_not_found`; `deployment_conflict` for one that is over, or that has no such choice
 */
export async function controlRollout(
  id: string,
  command: RolloutCommand,
  { database, jobs, temporal }: { database: Database; jobs: JobStore; temporal: Client },
): Promise<void> {
  const deployment = await database.prisma.deployment.findUnique({ where: { id } });
  if (!deployment)
    throw new ServiceError(
      'deployment_not_found',
      `There is no deployment "${id.slice(0, 100)}". GET /deployments lists them.`,
    );
  const { action } = command;
  if (deployment.finishedAt)
    throw new ServiceError('deployment_conflict', `The rollout ${id} is over already: ${deployment.state}.`);
  if (action === 'abort') return cancelJob(deployment.jobId, { jobs, temporal });
  if (
    (action === 'promote' && deployment.strategy === 'immediate') ||
    (action === 'set_ladder' && deployment.strategy !== 'canary')
  )
    throw new ServiceError(
      'deployment_conflict',
      `The rollout ${id} has the strategy ${deployment.strategy}: there is no step that could be changed.`,
    );
  try {
    await withTemporal(temporal, () =>
      temporal.workflow.getHandle(deployment.jobId).signal(action, ...(action === 'set_ladder' ? [command.steps] : [])),
    );
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new ServiceError('deployment_conflict', `The workflow of the rollout ${id} has ended.`);
  }
}
