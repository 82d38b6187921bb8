import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, defaultPayloadConverter } from '@temporalio/common';
import {
  NativeConnection,
  Runtime,
  Worker,
  type ActivityInboundCallsInterceptor,
  type WorkerOptions,
} from '@temporalio/worker';
import type { Config } from '../services/config.js';
import type { Container } from '../services/container.js';
import { connectionOptions, dataConverterOf } from '../services/pipelines/temporal-client.js';
import { isJobId } from '../services/jobs/job.js';
import { runWithContext } from '../services/telemetry/correlation.js';
import { MetricsServer } from '../services/telemetry/metrics-server.js';
import type { ActivityOutcome, WorkerMetrics } from '../services/telemetry/worker-metrics.js';
import { stopTracing } from '../services/telemetry/tracing.js';
import { CoreMetrics } from './core-metrics.js';
import { logActivity } from './log-activity.js';
import { runSinks, tracedActivityInterceptors } from './traced-worker.js';

/** Running activities get this long to end on SIGTERM; then they are cancelled, and another worker resumes them. */
const GRACE = '15 seconds';
const FORCE = '20 seconds';

/**
 * Sends the SDK's own log lines and metrics through ours, and tells all metrics of this worker. Once per process, before any connection.
 * @returns what has to be stopped at the end
 */
export async function installRuntime(
  { logger, config }: Container,
  component: string,
  { registry }: WorkerMetrics,
): Promise<MetricsServer> {
  const core = new CoreMetrics(registry);
  const log = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') => (message: string, meta?: object) =>
    logger[level]({ ...meta }, message);
  Runtime.install({
    logger: {
      log: (level, message, meta) => log(level.toLowerCase() as 'info')(message, meta),
      trace: log('trace'),
      debug: log('debug'),
      // What our workflows say is for the log of their job; what the SDK says of itself is not.
      info: (message, meta) =>
        meta?.['sdkComponent'] === 'workflow'
          ? log('info')(message, { ...meta, job_id: meta['workflowId'] })
          : log('debug')(message, meta),
      // Training workers run activities only, which is how it is meant.
      warn: (message, meta) => log(message.startsWith('No workflows registered') ? 'debug' : 'warn')(message, meta),
      error: log('error'),
    },
    shutdownSignals: [],
    telemetryOptions: { metrics: { buffer: core.buffer } },
  });
  core.start();
  const { host, port } = config.workerMetrics;
  const collect = () => core.collect();
  const server = new MetricsServer({ component, stateDir: config.stateDir, host, port, collect, registry, logger });
  await server.start();
  return server;
}

const MODEL_NAME = /^[a-z][a-z0-9_]{0,62}$/;
const VERSION = /^v\d+\.\d+\.\d+$/;

/** Runs each activity with the correlation id of the call that started its workflow. */
export function correlateActivity(info: { workflowId?: string }): ActivityInboundCallsInterceptor {
  return {
    execute(input, next) {
      const header = input.headers['x-correlation-id'];
      const correlationId = header
        ? defaultPayloadConverter.fromPayload<string>(header)
        : (info.workflowId ?? 'unknown');
      const about = modelOf(input.args[0]);
      const jobId = jobOf(input.args[0]) ?? info.workflowId;
      return runWithContext({ correlationId, jobId, ...about }, () => next(input));
    },
  };
}

/** The job that an activity works for, as far as its input says: a search is a workflow of its own below its job. */
function jobOf(input: unknown): string | undefined {
  const { jobId, plan } = (input ?? {}) as { jobId?: unknown; plan?: { jobId?: unknown } };
  const id = jobId ?? plan?.jobId;
  return typeof id === 'string' && isJobId(id) ? id : undefined;
}

/** Which model and version an activity works on, as far as its input says. */
function modelOf(input: unknown): { model?: string; version?: string } {
  const { model, version } = (input ?? {}) as { model?: unknown; version?: unknown };
  return {
    ...(typeof model === 'string' && MODEL_NAME.test(model) ? { model } : {}),
    ...(typeof version === 'string' && VERSION.test(version) ? { version } : {}),
  };
}

/** Counts and times each attempt of an activity. */
export function measureActivity(activity: string, metrics: WorkerMetrics): ActivityInboundCallsInterceptor {
  return {
    async execute(input, next) {
      const startMs = performance.now();
      const end = (outcome: ActivityOutcome) =>
        metrics.countActivity(activity, outcome, (performance.now() - startMs) / 1000);
      try {
        const result = await next(input);
        end('completed');
        return result;
      } catch (error) {
        end(error instanceof CancelledFailure ? 'cancelled' : 'failed');
        throw error;
      }
    },
  };
}

/** How often a worker that cannot reach Temporal at its start tries again. */
const CONNECT_EVERY_MS = 1000;

async function connect(container: Container): Promise<NativeConnection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await NativeConnection.connect(connectionOptions(container.config.temporal));
    } catch (error) {
      container.logger.warn(
        { err: error, attempt, address: container.config.temporal.address },
        'Temporal cannot be reached yet',
      );
      await sleep(CONNECT_EVERY_MS);
    }
  }
}

/** With a build id, a workflow stays with the build that it was started on. */
function deploymentOf({ workerRelease: version }: Config): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  return version
    ? { workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' } }
    : {};
}

/**
 * Runs a worker until SIGTERM, SIGINT or the end of the process that started it. Ends the process itself, since an activity
 * that does not listen must not keep it.
 */
export async function runWorker(
  container: Container,
  metrics: WorkerMetrics,
  options: Omit<WorkerOptions, 'connection' | 'namespace'>,
  /** Ended before the process is. */
  beside: readonly { stop(): Promise<void> }[] = [],
): Promise<never> {
  const { logger, config } = container;
  const connection = await connect(container);
  const worker = await Worker.create({
    ...options,
    connection,
    namespace: config.temporal.namespace,
    ...deploymentOf(config),
    dataConverter: dataConverterOf(config.temporal),
    sinks: runSinks,
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
    interceptors: {
      ...options.interceptors,
      activity: [
        ...tracedActivityInterceptors(),
        (context) => ({ inbound: correlateActivity({ workflowId: context.info.workflowExecution?.workflowId }) }),
        (context) => ({ inbound: measureActivity(context.info.activityType, metrics) }),
        (context) => ({ inbound: logActivity(context.info, logger) }),
      ],
    },
  });
  const stop = (reason: string) => () => {
    if (worker.getState() !== 'RUNNING') return;
    logger.info({ reason }, 'worker drains');
    worker.shutdown();
  };
  process.on('SIGTERM', stop('SIGTERM'));
  process.on('SIGINT', stop('SIGINT'));
  // The stack that started this worker is gone, so nobody would ever stop it.
  process.on('disconnect', stop('the supervisor is gone'));
  logger.info({ task_queue: options.taskQueue, build: config.workerRelease?.buildId }, 'worker is ready');
  process.send?.({ ready: true });
  let exitCode = 0;
  try {
    await worker.run();
  } catch (error) {
    logger.error({ err: error }, 'worker ended with an error');
    exitCode = 1;
  }
  await Promise.all(beside.map((one) => one.stop()));
  await stopTracing();
  await container.close().catch((error: unknown) => logger.debug({ err: error }, 'closing connections failed'));
  process.exit(exitCode);
}
