import { ServiceError } from '../../core/errors.js';
import { deployRequestSchema } from '../../core/schemas/deployment.js';
import { modelNameSchema } from '../../core/schemas/training.js';
import type { Database } from '../database/database.js';
import { parseRequest } from '../parse-request.js';
import { createVersionStore } from '../registry/version-store.js';

/** What the steps of a rollout hand on: references only. */
export interface OpenDeployment {
  deploymentId: string;
  jobId: string;
  model: string;
  version: string;
  digest: string;
  previousVersion?: string;
}

const deployJobSchema = deployRequestSchema.extend({ model: modelNameSchema });

/**
 * Checks that a version may be deployed now.
 * @throws ServiceError `version_not_found`, or `deployment_conflict` for a version without skill.
 */
export async function checkDeployment(database: Database, request: unknown) {
  const wanted = parseRequest(deployJobSchema, request);
  const version = await createVersionStore(database).find(wanted.model, wanted.version);
  if (!version.promotable && !wanted.allow_unpromotable) {
    const { reason } = version.verdict as { reason: string };
    throw new ServiceError(
      'deployment_conflict',
      `${wanted.model} ${version.version} is not promotable. ${reason} Send "allow_unpromotable": true to deploy it all the same.`,
    );
  }
  return { ...wanted, version };
}

/** 409 when another rollout of the model is under way; the caller learns which. */
export async function refuseSecondRollout(database: Database, model: string, jobId?: string): Promise<void> {
  const active = await database.prisma.deployment.findFirst({
    where: {
      model,
      state: { in: ['pending', 'running', 'holding', 'paused'] },
      ...(jobId ? { jobId: { not: jobId } } : {}),
    },
  });
  if (active) {
    throw new ServiceError(
      'deployment_conflict',
      `The rollout ${active.id} of ${model} ${active.version} is under way. Wait for it, or cancel its job ${active.jobId}.`,
    );
  }
}

/** Writes the rollout down. The database allows one a model, so of two that race the second is refused. Repeatable. */
export async function openDeployment(
  input: { jobId: string; request: unknown },
  { database }: { database: Database },
): Promise<OpenDeployment> {
  const { prisma } = database;
  const known = await prisma.deployment.findUnique({ where: { jobId: input.jobId } });
  const { model, version, strategy } = await checkDeployment(database, input.request);
  const deployment = {
    deploymentId: deploymentIdOf(input.jobId),
    jobId: input.jobId,
    model,
    version: version.version,
    digest: version.digest,
  };
  if (known) return { ...deployment, previousVersion: known.previousVersion ?? undefined };
  await refuseSecondRollout(database, model, input.jobId);
  const route = await prisma.route.findUnique({ where: { model } });
  const previousVersion = route?.version;
  const data = {
    id: deployment.deploymentId,
    model,
    version: version.version,
    previousVersion,
    strategy,
    state: 'running',
    jobId: input.jobId,
  };
  const { count } = await prisma.deployment.createMany({ data: [data], skipDuplicates: true });
  // Another rollout won the race for the model.
  if (count === 0) await refuseSecondRollout(database, model, input.jobId);
  return { ...deployment, previousVersion };
}

export function deploymentIdOf(jobId: string): string {
  return `dep-${jobId.replace(/^deploy-/, '')}`;
}
