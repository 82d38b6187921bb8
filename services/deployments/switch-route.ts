import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../core/errors.js';
import type { Container } from '../container.js';
import type { Database, Prisma } from '../database/database.js';
import { loadScorer } from '../serving/load-scorer.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import { traceHeaders } from '../telemetry/tracing.js';
import { lockTraffic, rolloutUnderWay } from './lock-traffic.js';
import type { OpenDeployment } from './open-deployment.js';

/** The channel on which API processes hear of a new route. */
export const ROUTES_CHANNEL = 'mlops_routes';

/** A route whose version answers alone. */
export const NO_TRIAL = { candidateVersion: null, phase: null, share: 0, rolloutId: null };

/** Appends one line of evidence to the rollout, once per step however often the step runs. */
export async function recordStep(
  transaction: Prisma.TransactionClient,
  deployment: OpenDeployment,
  step: string,
  detail: unknown,
): Promise<void> {
  const line = JSON.stringify([{ step, at: new Date().toISOString(), detail }]);
  const marker = JSON.stringify([{ step }]);
  await transaction.$executeRaw`
    UPDATE deployments SET steps = steps || ${line}::jsonb WHERE id = ${deployment.deploymentId} AND NOT steps @> ${marker}::jsonb`;
}

/** Loads the version from its store, checks every digest and holds it to its golden rows, before it gets any traffic. */
export async function verifyVersion(
  deployment: OpenDeployment,
  context: { database: Database; modelStoragePath: string },
): Promise<void> {
  const { scorer, goldenRows } = await loadScorer(context.modelStoragePath, deployment.model, deployment.digest);
  await recordStep(context.database.prisma, deployment, 'verify', {
    digest: deployment.digest,
    golden_rows: goldenRows,
    bytes: scorer.bundle.bytes,
  });
}

/**
 * Gives the version the traffic, in one transaction with the alias and the evidence; every API process is told.
 * @throws ServiceError `deployment_conflict` when the rollout is over
 */
export async function switchRoute(
  deployment: OpenDeployment & { reason?: string },
  { database, failPoint }: { database: Database; failPoint: FailPoint },
): Promise<void> {
  const { model, version, deploymentId } = deployment;
  await database.prisma.$transaction(async (transaction) => {
    await lockTraffic(transaction, model);
    const now = new Date();
    const route = await transaction.route.findUnique({ where: { model } });
    await rolloutUnderWay(transaction, deploymentId);
    // Why it gets the traffic is told with the change: the database writes the history of the version then.
    if (deployment.reason !== undefined)
      await transaction.deployment.update({ where: { id: deploymentId }, data: { reason: deployment.reason } });
    if (route?.deploymentId !== deploymentId) {
      // The served version once more is no former version to go back to.
      const previousVersion = (route?.version === version ? route.previousVersion : route?.version) ?? null;
      const data = { version, previousVersion, deploymentId, updatedAt: now, ...NO_TRIAL };
      await transaction.route.upsert({ where: { model }, create: { model, ...data }, update: data });
    }
    await transaction.modelAlias.upsert({
      where: { model_alias: { model, alias: 'production' } },
      create: { model, alias: 'production', version },
      update: { version, updatedAt: now },
    });
    await recordStep(transaction, deployment, 'switch', {
      from: deployment.previousVersion ?? null,
      to: version,
      // So that a rollout which fails after this leaves the way back as it was.
      former_previous: route?.previousVersion ?? null,
    });
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  });
  failPoint('deploy:after-switch');
}

/** How often and how long the API is asked which version it serves. */
const ASK_EVERY_MS = 250;
const ASK_FOR_MS = 30_000;

type ApiReader = Pick<Container, 'config' | 'apiFetch' | 'credentials'>;

/**
 * Reads the served version back through the public endpoint. Only this makes a rollout a success.
 * @throws ServiceError `deployment_check_failed` when the API serves another version after 30 s; Error while it is away.
 */
export async function confirmServed(
  deployment: OpenDeployment,
  context: ApiReader & { database: Database; signal: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + ASK_FOR_MS;
  let seen: string | null = null;
  while (Date.now() < deadline) {
    context.signal.throwIfAborted();
    seen = await servedVersion(context, deployment.model);
    if (seen === deployment.version) {
      await recordStep(context.database.prisma, deployment, 'confirm', { served: seen });
      return;
    }
    await sleep(ASK_EVERY_MS);
  }
  throw new ServiceError(
    'deployment_check_failed',
    `The API serves ${seen ?? 'no version'} of ${deployment.model} instead of ${deployment.version}, 30 s after the switch. Its log says why it could not load it.`,
  );
}

async function servedVersion(
  { config: { apiBaseUrl }, apiFetch, credentials }: ApiReader,
  model: string,
): Promise<string | null> {
  const headers = { ...traceHeaders(), ...(await credentials.headers('viewer')) };
  const options = { headers, signal: AbortSignal.timeout(2000) };
  const response = await apiFetch(`${apiBaseUrl}/models/${model}`, options).catch((error: unknown) => {
    throw new Error(`The API at ${apiBaseUrl} cannot be reached to read the served version back.`, { cause: error });
  });
  if (!response.ok) throw new Error(`GET ${apiBaseUrl}/models/${model} answered ${response.status}.`);
  const body = (await response.json()) as { serving?: { loaded_version?: string | null } };
  return body.serving?.loaded_version ?? null;
}
