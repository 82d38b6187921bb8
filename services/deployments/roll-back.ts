import { randomBytes } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import { signedSentence } from '../../core/policy/signature.js';
import { digestOf } from '../canonical-json.js';
import type { Database, Prisma } from '../database/database.js';
import { refuseArchived, refuseUnapproved, type ReadinessContext } from '../registry/refuse-unready.js';
import { createVersionStore } from '../registry/version-store.js';
import { hasServed } from '../registry/version-events.js';
import { loadScorer } from '../serving/load-scorer.js';
import { lockTraffic } from './lock-traffic.js';
import { NO_TRIAL, ROUTES_CHANNEL } from './switch-route.js';

export interface RollbackResult {
  deployment_id: string;
  model: string;
  /** The version that has all the traffic now. */
  version: string;
  /** The version that had it before, or that was on trial. */
  rolled_back_version: string;
  /** A rollout that was under way and is over now. */
  ended_deployment_id: string | null;
  /** Experiments that were under way: their entities are answered by the version that was gone back to. */
  ended_experiment_ids: string[];
  job_id: string;
}

export interface RollbackCall {
  model: string;
  /** The version to go back to, or an alias; by default the one before. */
  version?: string;
  idempotencyKey?: string;
  correlationId: string;
  /** Who wants it, and why. */
  sender: { by: string; note?: string };
}

interface Way {
  to: string;
  from: string;
  /** What can be gone back to after this. */
  previous: string | null;
  endedId: string | null;
}

/**
 * Takes a version back in one call: a rollout that is under way ends, and its present version keeps the traffic; else the version
 * before the deployed one gets it. It needs the database only, no workflow, so it works while Temporal is away. The artifact is
 * verified first. The same key gives the same answer.
 * @throws ServiceError `deployment_conflict` when there is nothing to go back to; `artifact_corrupt`; `version_not_found`;
 * `version_conflict` for an archived version; `approval_missing` for one that lacks them and has never had the traffic
 */
export async function rollBack(
  call: RollbackCall,
  context: ReadinessContext & { database: Database; modelStoragePath: string },
): Promise<{ result: RollbackResult; endedJobIds: string[] }> {
  const { database, modelStoragePath } = context;
  const { model } = call;
  const jobId = jobIdOf(call);
  const known = await findEarlier(database.prisma, jobId);
  if (known) return { result: known, endedJobIds: [] };
  const wanted = call.version ? (await createVersionStore(database).find(model, call.version)).version : undefined;
  const seen = await wayBack(database.prisma, model, wanted);
  const target = await createVersionStore(database).find(model, seen.way.to);
  if (!(await hasServed(database.prisma, target))) await refuseUnapproved(target, context);
  await loadScorer(modelStoragePath, model, target.digest);
  return database.prisma.$transaction(async (transaction) => {
    await lockTraffic(transaction, model);
    const earlier = await findEarlier(transaction, jobId);
    if (earlier) return { result: earlier, endedJobIds: [] };
    const { way, endedJobId } = await wayBack(transaction, model, wanted);
    if (way.to !== seen.way.to)
      throw new ServiceError(
        'deployment_conflict',
        `The traffic of ${model} changed at the same moment. Look, and ask again.`,
      );
    // Archiving waits for the same lock, so that what is found here holds until the traffic is there.
    refuseArchived(
      await transaction.modelVersion.findUniqueOrThrow({ where: { model_version: { model, version: way.to } } }),
    );
    const experiments = await transaction.experiment.findMany({ where: { model, state: 'running' } });
    const result = await goBack(transaction, call, jobId, { ...way, experimentIds: experiments.map(({ id }) => id) });
    return {
      result,
      endedJobIds: [...(endedJobId === null ? [] : [endedJobId]), ...experiments.map((one) => one.jobId)],
    };
  });
}

/** The key decides: of calls with the same one the second finds the row of the first. */
function jobIdOf({ model, version, idempotencyKey: key }: RollbackCall): string {
  const suffix = key
    ? digestOf(['rollback', model, version ?? null, key]).slice(0, 20)
    : randomBytes(10).toString('hex');
  return `deploy-${suffix}`;
}

/** What the first call with the same key has done. */
async function findEarlier(prisma: Prisma.TransactionClient, jobId: string): Promise<RollbackResult | undefined> {
  const job = await prisma.job.findUnique({ where: { id: jobId } });
  return job ? (job.result as unknown as RollbackResult) : undefined;
}

async function wayBack(
  prisma: Prisma.TransactionClient,
  model: string,
  wanted: string | undefined,
): Promise<{ way: Way; endedJobId: string | null }> {
  const route = await prisma.route.findUnique({ where: { model } });
  const active = await prisma.deployment.findFirst({ where: { model, finishedAt: null } });
  const endedId = active?.id ?? null;
  const nothing = (why: string) => new ServiceError('deployment_conflict', `${model} ${why}`);
  if (!route) throw nothing('has no deployed version to roll back from.');
  const { version: present, previousVersion } = route;
  // On trial, the present version is what to go back to; after the switch of a rollout it is the one before.
  if (active && present !== active.version && (wanted === undefined || wanted === present))
    return { way: { to: present, from: active.version, previous: previousVersion, endedId }, endedJobId: active.jobId };
  const to = wanted ?? previousVersion;
  if (!to) throw nothing('has no former version to go back to.');
  if (to === present) throw nothing(`${to} has the traffic already.`);
  return {
    way: { to, from: present, previous: present, endedId },
    endedJobId: active?.jobId ?? null,
  };
}

async function goBack(
  transaction: Prisma.TransactionClient,
  { model, idempotencyKey, correlationId, version, sender }: RollbackCall,
  jobId: string,
  { to, from, previous, endedId, experimentIds }: Way & { experimentIds: string[] },
): Promise<RollbackResult> {
  const now = new Date();
  const deploymentId = `dep-${jobId.replace(/^deploy-/, '')}`;
  const reason = signedSentence(`Rolled back to ${to}`, sender);
  if (endedId)
    await transaction.deployment.update({
      where: { id: endedId },
      data: { state: 'rolled_back', reason, finishedAt: now },
    });
  await transaction.experiment.updateMany({
    where: { id: { in: experimentIds } },
    data: { state: 'stopped', reason, finishedAt: now },
  });
  const result: RollbackResult = {
    deployment_id: deploymentId,
    model,
    version: to,
    rolled_back_version: from,
    ended_deployment_id: endedId,
    ended_experiment_ids: experimentIds,
    job_id: jobId,
  };
  const finished = { startedAt: now, finishedAt: now, createdAt: now };
  const request = { model, strategy: 'rollback', ...(version ? { version } : {}) };
  await transaction.job.create({
    data: {
      ...finished,
      id: jobId,
      type: 'deploy',
      model,
      status: 'completed',
      progress: 1,
      stage: 'done',
      request,
      result: { ...result },
      correlationId,
      requestedBy: sender.by,
    },
  });
  if (idempotencyKey) await claimKey(transaction, idempotencyKey, digestOf(request), jobId);
  await transaction.deployment.create({
    data: {
      id: deploymentId,
      model,
      version: to,
      previousVersion: from,
      strategy: 'rollback',
      state: 'promoted',
      reason,
      jobId,
      createdAt: now,
      finishedAt: now,
      steps: [{ step: 'rollback', at: now.toISOString(), detail: { from, to, ended_deployment_id: endedId } }],
    },
  });
  await transaction.route.update({
    where: { model },
    data: { version: to, previousVersion: previous, deploymentId, updatedAt: now, ...NO_TRIAL },
  });
  await transaction.modelAlias.upsert({
    where: { model_alias: { model, alias: 'production' } },
    create: { model, alias: 'production', version: to },
    update: { version: to, updatedAt: now },
  });
  await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  return result;
}

async function claimKey(transaction: Prisma.TransactionClient, key: string, requestHash: string, jobId: string) {
  await transaction.idempotencyKey.createMany({ data: [{ key, requestHash, jobId }], skipDuplicates: true });
  const known = await transaction.idempotencyKey.findUniqueOrThrow({ where: { key } });
  if (known.jobId !== jobId)
    throw new ServiceError(
      'idempotency_key_reused',
      `The Idempotency-Key "${key.slice(0, 100)}" was sent before with another request. Use a new key for a new request.`,
    );
}
