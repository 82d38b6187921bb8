import { createLearningActivities } from '../activities/index.js';
import { TASK_QUEUES } from '../core/names.js';
import { loadConfig } from '../services/config.js';
import { createContainer } from '../services/container.js';
import { createWorkerMetrics } from '../services/telemetry/worker-metrics.js';
import { exitOnBadStart } from './exit-on-bad-start.js';
import { installRuntime, runWorker } from './run-worker.js';

await exitOnBadStart(async () => {
  const metrics = createWorkerMetrics('training-worker');
  const container = createContainer(loadConfig(), 'training-worker', metrics);
  const metricsServer = await installRuntime(container, 'training-worker', metrics);
  const options = {
    taskQueue: TASK_QUEUES.training,
    activities: createLearningActivities(container),
    maxConcurrentActivityTaskExecutions: container.config.maxConcurrentJobs,
  };
  await runWorker(container, metrics, options, [metricsServer]);
});
