import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { TASK_QUEUES } from '../../core/names.js';
import { describeTaskQueues } from '../health/task-queues.js';
import { withTemporal } from './temporal-client.js';

/** Where the builds of an installation are: Temporal, and the name of the deployment there. */
export interface ReleaseContext {
  temporal: Client;
  namespace: string;
  deploymentName: string;
}

export interface BuildState {
  build_id: string;
  /** `inactive` was never current, `draining` has workflows under way, `drained` has none. */
  state: 'current' | 'ramping' | 'draining' | 'drained' | 'inactive';
  /** Pollers that were heard of lately, by task queue. */
  workers: Record<string, number>;
}

export interface ReleaseState {
  deployment: string;
  /** Gets new workflows; null = workers without a build id. */
  current: string | null;
  ramping: { build_id: string; percent: number } | null;
  builds: BuildState[];
}

const DEADLINE_MS = 10_000;
const POLL_EVERY_MS = 500;
const NOT_FOUND = 5;
/** Temporal's name of the state of workers without a build id. */
const UNVERSIONED = '__unversioned__';
/** `temporal.api.enums.v1.VersionDrainageStatus` */
const DRAINAGE: Record<number, BuildState['state']> = { 1: 'draining', 2: 'drained' };

/** All builds that Temporal knows of, with who gets what. @throws ServiceError `dependency_unavailable` */
export async function describeRelease(context: ReleaseContext): Promise<ReleaseState> {
  const { temporal, namespace, deploymentName } = context;
  const [info, queues] = await Promise.all([
    askDeployment(context),
    describeTaskQueues(temporal, namespace, DEADLINE_MS),
  ]);
  const routing = info?.routingConfig;
  const idOf = (version: { buildId?: string | null } | null | undefined) =>
    version?.buildId && version.buildId !== UNVERSIONED ? version.buildId : null;
  const current = idOf(routing?.currentDeploymentVersion);
  const rampingId = idOf(routing?.rampingDeploymentVersion);
  const percent = routing?.rampingVersionPercentage ?? 0;
  const workersOf = (buildId: string) => {
    const workers: Record<string, number> = {};
    for (const { queue, kind, builds } of queues) {
      if (kind !== 'activity') continue;
      workers[queue] = builds.filter((one) => one.deployment === deploymentName && one.build_id === buildId).length;
    }
    return workers;
  };
  const drainage = new Map(
    (info?.versionSummaries ?? []).map((one) => [one.deploymentVersion?.buildId ?? '', Number(one.drainageStatus)]),
  );
  const stateOf = (buildId: string): BuildState['state'] => {
    if (buildId === current) return 'current';
    if (buildId === rampingId && percent > 0) return 'ramping';
    return DRAINAGE[drainage.get(buildId) ?? 0] ?? 'inactive';
  };
  const ids = [...drainage.keys()].filter((id) => id !== '');
  return {
    deployment: deploymentName,
    current,
    ramping: rampingId !== null && percent > 0 ? { build_id: rampingId, percent } : null,
    builds: ids.map((id) => ({ build_id: id, state: stateOf(id), workers: workersOf(id) })),
  };
}

/** @returns undefined before any worker of the deployment was there */
async function askDeployment({ temporal, namespace, deploymentName }: ReleaseContext) {
  try {
    const asked = { namespace, deploymentName };
    const ask = () => temporal.workflowService.describeWorkerDeployment(asked);
    return (await withTemporal(temporal, ask, DEADLINE_MS)).workerDeploymentInfo ?? undefined;
  } catch (error) {
    if (isGrpcServiceError(error) && [NOT_FOUND].includes(error.code)) return undefined;
    throw error;
  }
}

/**
 * Gives a build all new workflows, once its workers poll every task queue. Those under way stay with their builds. Repeatable.
 * @param buildId null = workers without a build id, for which nothing is waited
 * @throws Error where its workers are not there within `waitMs`; ServiceError `dependency_unavailable`
 */
export async function makeCurrent(buildId: string | null, waitMs: number, context: ReleaseContext): Promise<void> {
  const { temporal, namespace, deploymentName } = context;
  if (buildId !== null) await waitForWorkers(buildId, waitMs, context);
  const request = { namespace, deploymentName, buildId: buildId ?? '' };
  const set = () => temporal.workflowService.setWorkerDeploymentCurrentVersion(request);
  await withTemporal(temporal, set, DEADLINE_MS);
}

/**
 * Gives a build a share of the new workflows, once its workers poll every task queue. Repeatable.
 * @param percent 0 to 100; 0 takes the share away
 * @throws Error, ServiceError as `makeCurrent`
 */
export async function rampTo(buildId: string, percent: number, waitMs: number, context: ReleaseContext): Promise<void> {
  const { temporal, namespace, deploymentName } = context;
  if (percent > 0) await waitForWorkers(buildId, waitMs, context);
  const request = { namespace, deploymentName, buildId: percent > 0 ? buildId : '', percentage: percent };
  const set = () => temporal.workflowService.setWorkerDeploymentRampingVersion(request);
  await withTemporal(temporal, set, DEADLINE_MS);
}

/** The task queues that no worker of a build polls. */
function queuesWithout(buildId: string, { builds }: ReleaseState): string[] {
  const workers = builds.find((one) => one.build_id === buildId)?.workers ?? {};
  return Object.values(TASK_QUEUES).filter((queue) => !workers[queue]);
}

async function waitForWorkers(buildId: string, waitMs: number, context: ReleaseContext): Promise<void> {
  for (const deadlineMs = Date.now() + waitMs; ; await sleep(POLL_EVERY_MS)) {
    const missing = queuesWithout(buildId, await describeRelease(context));
    if (missing.length === 0) return;
    if (Date.now() > deadlineMs)
      throw new Error(
        `No worker of the build ${buildId} polls ${missing.join(' and ')}, so nothing was changed. Start its workers with WORKER_BUILD_ID=${buildId} and WORKER_DEPLOYMENT_NAME=${context.deploymentName}, and look at their logs.`,
      );
  }
}

/**
 * Holds an installation with build ids to what it needs to get any work done.
 * @throws Error that says what is missing, and what to do
 */
export async function checkRelease(context: ReleaseContext): Promise<void> {
  const state = await describeRelease(context);
  const { current, builds, deployment } = state;
  const named = builds.map(({ build_id: id }) => id).join(', ');
  if (current === null)
    throw new Error(
      `no build of the deployment ${deployment} is current, so workers with a build id get nothing. Run \`npm run release -- current BUILD\`; known builds: ${named || 'none'}`,
    );
  const missing = queuesWithout(current, state);
  if (missing.length > 0)
    throw new Error(
      `the build ${current} is current, and none of its workers polls ${missing.join(' and ')}. Start them, or make another build current`,
    );
}
