import { createLearningActivities } from '../activities/index.js';
import { TASK_QUEUES } from '../core/names.js';
import { loadConfig } from '../services/config.js';
import { createContainer } from '../services/container.js';
import { startTracing } from '../services/telemetry/tracing.js';
import { createWorkerMetrics } from '../services/telemetry/worker-metrics.js';
import { exitOnBadStart } from './exit-on-bad-start.js';
import { installRuntime, runWorker } from './run-worker.js';
import { createSharedCopies } from '../services/storage/shared-copies.js';

await exitOnBadStart(async () => {
  const config = loadConfig();
  await startTracing(config.traceEndpoint, 'training-worker');
  const metrics = createWorkerMetrics('training-worker');
  const container = createContainer(config, 'training-worker', metrics);
  const metricsServer = await installRuntime(container, 'training-worker', metrics);
  const options = {
    taskQueue: TASK_QUEUES.training,
    activities: createLearningActivities(container),
    maxConcurrentActivityTaskExecutions: container.config.maxConcurrentJobs,
  };
  const copies = createSharedCopies(container.logger);
  copies.forEach((one) => one.start());
  await runWorker(container, metrics, options, [metricsServer, ...copies]);
});
