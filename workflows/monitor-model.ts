import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const { planMonitoring } = proxyActivities<Activities>(RECORD);
const { measureDrift, measurePerformance } = proxyActivities<Activities>(DATA);

/** When the run was due: one that an outage has delayed judges the window that it was meant for. */
function dueTime(): string {
  const { searchAttributes, startTime } = workflowInfo();
  const scheduled = searchAttributes['TemporalScheduledStartTime']?.[0];
  return (scheduled instanceof Date ? scheduled : startTime).toISOString();
}

/** Plan → drift → performance, each window's findings written once. The input is `{model, window_end?}`. */
export async function monitorModel(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('monitor', input, async ({ enterStage, label }) => {
    await enterStage('plan');
    const plan = await planMonitoring({ jobId, request: input, due: dueTime() });
    label({ model: plan.model });
    await enterStage('drift');
    const drift = plan.settings.drift.enabled ? await measureDrift(plan) : null;
    await enterStage('performance');
    const performance = plan.settings.performance.enabled ? await measurePerformance(plan) : null;
    return { model: plan.model, window_end: plan.windowEnd, drift, performance };
  });
}
