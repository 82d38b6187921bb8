import { createLearningActivities } from '../activities/index.js';
import { TASK_QUEUES } from '../core/names.js';
import { loadConfig } from '../services/config.js';
import { createContainer } from '../services/container.js';
import { exitOnBadStart } from './exit-on-bad-start.js';
import { installRuntime, runWorker } from './run-worker.js';

await exitOnBadStart(async () => {
  const container = createContainer(loadConfig(), 'training-worker');
  installRuntime(container.logger);
  await runWorker(container, {
    taskQueue: TASK_QUEUES.training,
    activities: createLearningActivities(container),
    maxConcurrentActivityTaskExecutions: container.config.maxConcurrentJobs,
  });
});
