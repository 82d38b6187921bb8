import type { Container } from '../services/container.js';
import { abandonMaterialization, finishMaterialization } from '../services/features/finish-materialization.js';
import { materializeView, type FilledView } from '../services/features/materialize-view.js';
import { planMaterialization, type MaterializationPlan } from '../services/features/plan-materialization.js';
import { holdDatasets } from '../services/retention/dataset-holds.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createFeatureActivities(container: Container) {
  const { database, folders, failPoint, featureViews: views } = container;
  return {
    planMaterialization: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.05 }, async () => {
        const plan = await planMaterialization(input, { database, views, now: Date.now });
        const ids = Object.values(plan.inputs).map((one) => one.dataset_id);
        await holdDatasets(database, input.jobId, ids);
        return plan;
      }),
    materializeView: (plan: MaterializationPlan) =>
      runActivity(container, plan.jobId, { stage: 'fill', from: 0.05, to: 0.8 }, ({ signal, report }) =>
        materializeView(plan, { database, datasetsFolder: folders.datasets, failPoint, signal }, report),
      ),
    finishMaterialization: (input: { plan: MaterializationPlan; filled: FilledView }) =>
      runActivity(container, input.plan.jobId, { stage: 'publish', from: 0.8, to: 0.99 }, () =>
        finishMaterialization(input, container),
      ),
    abandonMaterialization: (input: { jobId: string }) =>
      mapFailures(() => abandonMaterialization(input.jobId, { database })),
  };
}
