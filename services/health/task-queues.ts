import type { Client } from '@temporalio/client';
import { TASK_QUEUES } from '../../core/names.js';
import { withTemporal } from '../pipelines/temporal-client.js';

/** How a task queue of Temporal stands. */
export interface TaskQueueState {
  queue: string;
  kind: 'workflow' | 'activity';
  /** Pollers of workers that were heard of within the last 90 s. */
  pollers: number;
  /** The builds of these pollers, of workers that have a build id. */
  builds: { deployment: string; build_id: string }[];
  /** Tasks that wait for a worker, about. */
  backlog: number;
  /** How long the oldest of them has waited. */
  oldest_seconds: number;
}

const KINDS = { workflow: 1, activity: 2 } as const;
const ASKED = [
  [TASK_QUEUES.pipeline, 'workflow'],
  [TASK_QUEUES.pipeline, 'activity'],
  [TASK_QUEUES.training, 'activity'],
] as const;
/** A worker polls again at least once a minute. */
const SILENT_AFTER_SECONDS = 90;

/** @throws ServiceError `dependency_unavailable` when Temporal does not answer within `timeoutMs` */
export async function describeTaskQueues(
  temporal: Client,
  namespace: string,
  timeoutMs: number,
): Promise<TaskQueueState[]> {
  return Promise.all(
    ASKED.map(async ([queue, kind]) => {
      const { pollers, stats } = await withTemporal(
        temporal,
        () =>
          temporal.workflowService.describeTaskQueue({
            namespace,
            taskQueue: { name: queue },
            taskQueueType: KINDS[kind],
            reportStats: true,
          }),
        timeoutMs,
      );
      const nowSeconds = Date.now() / 1000;
      const isAlive = (poller: { lastAccessTime?: { seconds?: unknown } | null }) =>
        nowSeconds - Number(poller.lastAccessTime?.seconds ?? 0) < SILENT_AFTER_SECONDS;
      const alive = (pollers ?? []).filter(isAlive);
      return {
        queue,
        kind,
        pollers: alive.length,
        builds: alive.flatMap(({ deploymentOptions: of }) =>
          of?.buildId ? [{ deployment: of.deploymentName ?? '', build_id: of.buildId }] : [],
        ),
        backlog: Number(stats?.approximateBacklogCount ?? 0),
        oldest_seconds: Number(stats?.approximateBacklogAge?.seconds ?? 0),
      };
    }),
  );
}
