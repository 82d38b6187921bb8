import { ServiceError } from '../../core/errors.js';
import type { Database } from '../database/database.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { OpenDeployment } from './open-deployment.js';
import { lockTraffic, rolloutUnderWay } from './lock-traffic.js';
import { recordStep, ROUTES_CHANNEL } from './switch-route.js';

export interface Trial {
  phase: 'shadow' | 'canary';
  /** Percentage of the entities that the version on trial answers; 0 in a shadow. */
  share: number;
}

/**
 * Puts the version beside the present one, with its share of the traffic; every API process is told. Repeatable.
 * @throws ServiceError `deployment_conflict` when the rollout is over, or another version was given the traffic meanwhile
 */
export async function setTrial(
  input: OpenDeployment & Trial,
  { database, failPoint }: { database: Database; failPoint: FailPoint },
): Promise<void> {
  const { deploymentId, model, version, previousVersion, phase, share } = input;
  await database.prisma.$transaction(async (transaction) => {
    await lockTraffic(transaction, model);
    await rolloutUnderWay(transaction, deploymentId);
    const { count } = await transaction.route.updateMany({
      where: { model, version: previousVersion ?? '', OR: [{ rolloutId: null }, { rolloutId: deploymentId }] },
      data: { candidateVersion: version, phase, share, rolloutId: deploymentId, updatedAt: new Date() },
    });
    if (count === 0)
      throw new ServiceError(
        'deployment_conflict',
        `${model} ${previousVersion} no longer has the traffic that ${version} was to be compared with.`,
      );
    await recordStep(transaction, input, phase === 'shadow' ? 'shadow' : `canary ${share} %`, {
      candidate: version,
      baseline: previousVersion,
      share,
    });
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  });
  failPoint('deploy:after-trial');
}
