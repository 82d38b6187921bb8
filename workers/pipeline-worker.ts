import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { createPipelineActivities } from '../activities/index.js';
import { TASK_QUEUES } from '../core/names.js';
import { createAlertDeliverer } from '../services/alerts/alert-deliverer.js';
import { AlertEngine } from '../services/alerts/alert-engine.js';
import { checkDependencies } from '../services/health/check-dependencies.js';
import { loadConfig } from '../services/config.js';
import { createContainer, type Container } from '../services/container.js';
import { createMlflowClient } from '../services/mlflow/mlflow-client.js';
import { MlflowMirror } from '../services/mlflow/mlflow-mirror.js';
import { MonitorScheduler } from '../services/monitors/monitor-scheduler.js';
import { LogFollower } from '../services/performance/log-follower.js';
import { connectionOptions, registerSearchAttributes } from '../services/pipelines/temporal-client.js';
import { compiledScript } from '../services/project-root.js';
import { RepairTrigger } from '../services/repair/repair-trigger.js';
import { startTracing } from '../services/telemetry/tracing.js';
import { createWorkerMetrics } from '../services/telemetry/worker-metrics.js';
import { createWebhookDeliverer } from '../services/webhooks/webhook-deliverer.js';
import { exitOnBadStart } from './exit-on-bad-start.js';
import { installRuntime, runWorker } from './run-worker.js';
import { createSharedCopies } from '../services/storage/shared-copies.js';

/** Workflows that set an attribute which Temporal does not know would hang, so this comes before the first task. */
async function ensureSearchAttributes({ config, logger }: Container): Promise<void> {
  for (;;) {
    try {
      const connection = await Connection.connect({
        ...connectionOptions(config.temporal),
        connectTimeout: '3 seconds',
      });
      try {
        await registerSearchAttributes(connection, config.temporal.namespace);
      } finally {
        await connection.close();
      }
      return;
    } catch (error) {
      logger.warn({ err: error }, 'search attributes cannot be registered yet');
      await sleep(1000);
    }
  }
}

await exitOnBadStart(async () => {
  const config = loadConfig();
  await startTracing(config.traceEndpoint, 'pipeline-worker');
  const metrics = createWorkerMetrics('pipeline-worker');
  const container = createContainer(config, 'pipeline-worker', metrics);
  const metricsServer = await installRuntime(container, 'pipeline-worker', metrics);
  await container.readModelsConfig();
  const { databaseUrl, webhookAllowedHosts: allowedHosts, mlflow, modelStoragePath } = container.config;
  // These need no Temporal, so they do not wait for it.
  const deliverer = createWebhookDeliverer({ ...container, databaseUrl, allowedHosts });
  const alerting = { ...container, databaseUrl, allowedHosts, settings: container.config.alerts };
  const alerts = new AlertEngine({
    ...alerting,
    askDependencies: async () => (await checkDependencies(container)).dependencies,
  });
  const alertDeliverer = createAlertDeliverer(alerting);
  const beside = [
    deliverer,
    alerts,
    alertDeliverer,
    new LogFollower(container),
    new MonitorScheduler(container),
    new RepairTrigger(container),
    ...createSharedCopies(container.logger),
  ];
  beside.forEach((one) => one.start());
  const client = mlflow && createMlflowClient(mlflow.server, mlflow.token);
  const mirror = client && new MlflowMirror({ ...container, client, modelStoragePath });
  mirror?.start();
  await ensureSearchAttributes(container);
  const options = {
    taskQueue: TASK_QUEUES.pipeline,
    workflowBundle: {
      codePath: compiledScript(config.temporal.encryptionKeys ? 'workflow-bundle-encrypted.js' : 'workflow-bundle.js'),
    },
    activities: createPipelineActivities(container),
    maxConcurrentActivityTaskExecutions: 20,
    maxCachedWorkflows: 200,
  };
  await runWorker(container, metrics, options, [metricsServer, ...beside, ...(mirror ? [mirror] : [])]);
});
