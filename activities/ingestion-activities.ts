import type { Container } from '../services/container.js';
import {
  extractSource,
  planIngestion,
  registerDataset,
  writeDataset,
  type ExtractedSource,
  type IngestionPlan,
} from '../services/datasets/ingestion.js';
import {
  bringParts,
  commitSlices,
  orderSlices,
  planParts,
  settleSlices,
  surveySlices,
  writeSlices,
} from '../services/datasets/ingest-parts.js';
import { runActivity } from './activity-run.js';
import type { ItemRange } from '../services/datasets/slices.js';

/** Some of the parts or slices of one ingestion, out of how many there are. */
export interface ItemsOfPlan extends ItemRange {
  plan: IngestionPlan;
  parts: number;
  /** How many parts or slices there are in all, for the progress of the job. */
  all: number;
}

/** The stretch of a job's progress that some of its items cover. */
function rangeOf(stage: string, from: number, to: number, items: ItemsOfPlan) {
  const at = (item: number) => from + ((to - from) * item) / Math.max(1, items.all);
  return { stage, from: at(items.from), to: at(items.to) };
}

export function createIngestionActivities(container: Container) {
  return {
    planIngestion: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.02 }, () => planIngestion(input, container)),
    extractSource: (plan: IngestionPlan) =>
      runActivity(container, plan.jobId, { stage: 'extract', from: 0.02, to: 0.5 }, ({ signal, report }) =>
        extractSource(plan, { ...container, signal }, report),
      ),
    snapshotDataset: (input: { plan: IngestionPlan; extracted: ExtractedSource }) =>
      runActivity(
        container,
        input.plan.jobId,
        { stage: 'validate', from: 0.5, to: 0.95 },
        ({ attempt, signal, report }) => writeDataset(input, { ...container, attempt, signal }, report),
      ),
    planParts: (plan: IngestionPlan) =>
      runActivity(container, plan.jobId, { stage: 'extract', from: 0.02, to: 0.05 }, (run) =>
        planParts(plan, { ...container, ...run }),
      ),
    bringParts: (items: ItemsOfPlan) =>
      runActivity(container, items.plan.jobId, rangeOf('extract', 0.05, 0.4, items), (run) =>
        bringParts(items.plan, items, { ...container, ...run }, run.report),
      ),
    orderSlices: ({ plan, parts }: { plan: IngestionPlan; parts: number }) =>
      runActivity(container, plan.jobId, { stage: 'extract', from: 0.4, to: 0.4 }, (run) =>
        orderSlices(plan, parts, { ...container, ...run }),
      ),
    surveySlices: (items: ItemsOfPlan) =>
      runActivity(container, items.plan.jobId, rangeOf('validate', 0.4, 0.55, items), (run) =>
        surveySlices(items.plan, items, { ...container, ...run }, run.report),
      ),
    settleSlices: ({ plan, parts }: { plan: IngestionPlan; parts: number }) =>
      runActivity(container, plan.jobId, { stage: 'validate', from: 0.55, to: 0.55 }, (run) =>
        settleSlices(plan, parts, { ...container, ...run }),
      ),
    writeSlices: (items: ItemsOfPlan) =>
      runActivity(container, items.plan.jobId, rangeOf('validate', 0.55, 0.9, items), (run) =>
        writeSlices(items.plan, items, { ...container, ...run }, run.report),
      ),
    commitSlices: ({ plan, parts }: { plan: IngestionPlan; parts: number }) =>
      runActivity(container, plan.jobId, { stage: 'validate', from: 0.9, to: 0.95 }, (run) =>
        commitSlices(plan, parts, { ...container, ...run }),
      ),
    registerDataset: (plan: IngestionPlan) =>
      runActivity(container, plan.jobId, { stage: 'register', from: 0.95, to: 0.99 }, () =>
        registerDataset(plan, container),
      ),
  };
}
