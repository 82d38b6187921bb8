import type { Database, Prisma } from '../database/database.js';
import { signedSentence } from '../../core/policy/signature.js';
import type { OpenDeployment } from './open-deployment.js';
import { lockTraffic } from './lock-traffic.js';
import { NO_TRIAL, ROUTES_CHANNEL } from './switch-route.js';

export type ClosedState = 'promoted' | 'rolled_back' | 'failed' | 'aborted';

export interface DeploymentResult {
  deployment_id: string;
  model: string;
  version: string;
  previous_version: string | null;
  state: ClosedState;
}

/**
 * Ends a rollout. One that did not succeed gives the former version its traffic back (or takes the model off, when there was
 * none), in the same transaction, so that there is no moment with two truths. Repeatable.
 */
export async function closeDeployment(
  input: Omit<OpenDeployment, 'digest' | 'plan' | 'holdout' | 'overridesFreeze'> & {
    state: ClosedState;
    reason?: string;
  },
  { database }: { database: Database },
): Promise<DeploymentResult> {
  const { deploymentId, model, previousVersion } = input;
  await database.prisma.$transaction(async (transaction) => {
    await lockTraffic(transaction, model);
    const reason = (input.state === 'aborted' && (await abortedBy(transaction, deploymentId))) || input.reason;
    const closed = await transaction.deployment.updateMany({
      where: { id: deploymentId, finishedAt: null },
      data: { state: input.state, reason: reason ?? null, finishedAt: new Date() },
    });
    if (closed.count === 0 || input.state === 'promoted') return;
    await transaction.route.updateMany({
      where: { model, rolloutId: deploymentId },
      data: { ...NO_TRIAL, updatedAt: new Date() },
    });
    const where = { model, deploymentId };
    if (previousVersion) {
      await transaction.route.updateMany({
        where,
        data: {
          version: previousVersion,
          previousVersion: await formerPrevious(transaction, deploymentId),
          updatedAt: new Date(),
        },
      });
      await transaction.modelAlias.updateMany({
        where: { model, alias: 'production' },
        data: { version: previousVersion, updatedAt: new Date() },
      });
    } else {
      const { count } = await transaction.route.deleteMany({ where });
      if (count > 0) await transaction.modelAlias.deleteMany({ where: { model, alias: 'production' } });
    }
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  });
  return {
    deployment_id: deploymentId,
    model,
    version: input.version,
    previous_version: previousVersion ?? null,
    state: input.state,
  };
}

/** Who ended it, where that was written down: the cancellation of a workflow carries no name. */
async function abortedBy(transaction: Prisma.TransactionClient, deploymentId: string): Promise<string | undefined> {
  const command = await transaction.deploymentCommand.findFirst({
    where: { deploymentId, action: 'abort' },
    orderBy: { at: 'desc' },
  });
  return command && command.refused === null ? signedSentence('Aborted', command) : undefined;
}

/** The version that could be gone back to before this rollout switched. */
async function formerPrevious(transaction: Prisma.TransactionClient, deploymentId: string): Promise<string | null> {
  const deployment = await transaction.deployment.findUnique({ where: { id: deploymentId } });
  const steps = (deployment?.steps ?? []) as { step: string; detail: { former_previous?: string | null } }[];
  return steps.find((step) => step.step === 'switch')?.detail.former_previous ?? null;
}

/** Ends the rollout of a job whose workflow was ended from outside and can do so no longer. Repeatable. */
export async function abortDeploymentOf(jobId: string, context: { database: Database }): Promise<void> {
  const open = await context.database.prisma.deployment.findFirst({ where: { jobId, finishedAt: null } });
  if (!open) return;
  const { id: deploymentId, model, version, previousVersion } = open;
  await closeDeployment(
    {
      deploymentId,
      jobId,
      model,
      version,
      previousVersion: previousVersion ?? undefined,
      state: 'aborted',
      reason: 'The workflow of the rollout was ended from outside.',
    },
    context,
  );
}
