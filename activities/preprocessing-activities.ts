import type { Container } from '../services/container.js';
import { registerDataset } from '../services/datasets/ingestion.js';
import { planPreprocessing, type PreprocessingPlan } from '../services/preprocessing/plan-preprocessing.js';
import { preprocessDataset } from '../services/preprocessing/preprocess-dataset.js';
import { holdDatasets } from '../services/retention/dataset-holds.js';
import { runActivity } from './activity-run.js';

export function createPreprocessingActivities(container: Container) {
  const { folders, failPoint } = container;
  return {
    planPreprocessing: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.02 }, async () => {
        const plan = await planPreprocessing(input, container);
        await holdDatasets(container.database, plan.jobId, [plan.source.datasetId]);
        return plan;
      }),
    preprocessDataset: (plan: PreprocessingPlan) =>
      runActivity(container, plan.jobId, { stage: 'prepare', from: 0.02, to: 0.95 }, async ({ attempt, report }) => {
        await preprocessDataset(plan, { folder: folders.datasets, attempt }, report);
        failPoint('preprocess:after-snapshot');
      }),
    registerPreprocessed: (plan: PreprocessingPlan) =>
      runActivity(container, plan.jobId, { stage: 'register', from: 0.95, to: 0.99 }, () =>
        registerDataset(plan, container),
      ),
  };
}
