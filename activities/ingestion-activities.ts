import type { Container } from '../services/container.js';
import {
  extractSource,
  planIngestion,
  registerDataset,
  writeDataset,
  type ExtractedSource,
  type IngestionPlan,
} from '../services/datasets/ingestion.js';
import { runActivity } from './activity-run.js';

export function createIngestionActivities(container: Container) {
  return {
    planIngestion: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.02 }, () => planIngestion(input, container)),
    extractSource: (plan: IngestionPlan) =>
      runActivity(container, plan.jobId, { stage: 'extract', from: 0.02, to: 0.5 }, ({ signal, report }) =>
        extractSource(plan, { ...container, signal }, report),
      ),
    snapshotDataset: (input: { plan: IngestionPlan; extracted: ExtractedSource }) =>
      runActivity(container, input.plan.jobId, { stage: 'validate', from: 0.5, to: 0.95 }, ({ attempt, report }) =>
        writeDataset(input, { ...container, attempt }, report),
      ),
    registerDataset: (plan: IngestionPlan) =>
      runActivity(container, plan.jobId, { stage: 'register', from: 0.95, to: 0.99 }, () =>
        registerDataset(plan, container),
      ),
  };
}
