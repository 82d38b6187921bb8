import type { Container } from '../services/container.js';
import { registerDataset } from '../services/datasets/ingestion.js';
import { planReplay, type ReplayPlan } from '../services/quarantine/plan-replay.js';
import { replayQuarantine } from '../services/quarantine/replay-quarantine.js';
import { holdDatasets } from '../services/retention/dataset-holds.js';
import { runActivity } from './activity-run.js';

export function createQuarantineActivities(container: Container) {
  const { folders, failPoint } = container;
  return {
    planReplay: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.02 }, async () => {
        const plan = await planReplay(input, container);
        await holdDatasets(container.database, plan.jobId, [plan.source.datasetId]);
        return plan;
      }),
    replayQuarantine: (plan: ReplayPlan) =>
      runActivity(container, plan.jobId, { stage: 'replay', from: 0.02, to: 0.95 }, async ({ attempt }) => {
        const dataType = (await container.readModelsConfig()).dataTypes.get(plan.dataType);
        await replayQuarantine(plan, { folder: folders.datasets, attempt, dataType });
        failPoint('replay:after-snapshot');
      }),
    registerReplayed: (plan: ReplayPlan) =>
      runActivity(container, plan.jobId, { stage: 'register', from: 0.95, to: 0.99 }, () =>
        registerDataset(plan, container),
      ),
  };
}
