import { ServiceError } from '../../core/errors.js';
import type { Prisma } from '../database/database.js';

/** Who changes the traffic of a model waits here for whoever does so: a rollout, its end, a rollback, an experiment, an archiving. */
export async function lockTraffic(transaction: Prisma.TransactionClient, model: string): Promise<void> {
  await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`deploy:${model}`}))`;
}

/**
 * The row of a rollout that is not over: a workflow that was away may not know that a rollback has ended it.
 * @throws ServiceError `deployment_conflict`
 */
export async function rolloutUnderWay(transaction: Prisma.TransactionClient, deploymentId: string) {
  const deployment = await transaction.deployment.findUniqueOrThrow({ where: { id: deploymentId } });
  if (!deployment.finishedAt) return deployment;
  throw new ServiceError('deployment_conflict', `The rollout ${deploymentId} is over already: ${deployment.state}.`);
}
