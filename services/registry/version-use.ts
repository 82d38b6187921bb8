import { ServiceError } from '../../core/errors.js';
import type { Prisma } from '../database/database.js';
import type { VersionName } from './version-events.js';

/**
 * A version that something relies on can neither be archived nor deleted.
 * @throws ServiceError `version_in_use` that says what does, and what to do about it
 */
export async function refuseInUse(prisma: Prisma.TransactionClient, { model, version }: VersionName): Promise<void> {
  const use = await findUse(prisma, { model, version });
  if (use) throw new ServiceError('version_in_use', `${model} ${version} ${use}`);
}

async function findUse(prisma: Prisma.TransactionClient, { model, version }: VersionName): Promise<string | undefined> {
  const route = await prisma.route.findUnique({ where: { model } });
  if (route?.version === version) return 'has the traffic. Deploy another version first.';
  if (route?.candidateVersion === version) return `is on trial in ${route.rolloutId}. Wait for its end, or abort it.`;
  if (route?.previousVersion === version)
    return `is what a rollback from ${route.version} goes back to. Deploy another version first.`;
  const rollout = await prisma.deployment.findFirst({ where: { model, version, finishedAt: null } });
  if (rollout) return `is being rolled out by ${rollout.id}. Wait for its end, or abort it.`;
  const experiments = await prisma.experiment.findMany({ where: { model, state: 'running' } });
  const experiment = experiments.find(({ arms }) =>
    (arms as unknown as VersionName[]).some((arm) => arm.version === version),
  );
  if (experiment) return `is an arm of the experiment ${experiment.id}. Wait for its end, or stop it.`;
  const alias = await prisma.modelAlias.findFirst({ where: { model, version } });
  return alias ? `has the alias ${alias.alias}. Point it at another version, or delete it.` : undefined;
}
