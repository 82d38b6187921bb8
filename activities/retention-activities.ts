import type { Container } from '../services/container.js';
import {
  beginErasure,
  eraseFiles,
  eraseRows,
  finishErasure,
  forgetInMemory,
  searchSubject,
  type ErasureStep,
} from '../services/erasure/erase-subject.js';
import { applyRetention } from '../services/retention/apply-retention.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createRetentionActivities(container: Container) {
  const { database, folders } = container;
  return {
    applyRetention: ({ jobId }: { jobId: string }) =>
      runActivity(container, jobId, { stage: 'delete', from: 0, to: 0.99 }, async ({ signal, report }) =>
        applyRetention((await container.readModelsConfig()).retention, { database, folders, signal }, report),
      ),
    beginErasure: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.02 }, () => beginErasure(input, container)),
    forgetInMemory: (step: ErasureStep) =>
      runActivity(container, step.jobId, { stage: 'memory', from: 0.02, to: 0.1 }, () => forgetInMemory(step, container)),
    eraseRows: (step: ErasureStep) =>
      runActivity(container, step.jobId, { stage: 'rows', from: 0.1, to: 0.3 }, () => eraseRows(step, container)),
    eraseFiles: (step: ErasureStep) =>
      runActivity(container, step.jobId, { stage: 'files', from: 0.3, to: 0.8 }, ({ signal, report }) =>
        eraseFiles(step, { ...container, signal }, report),
      ),
    searchSubject: (step: ErasureStep) =>
      runActivity(container, step.jobId, { stage: 'search', from: 0.8, to: 0.98 }, () => searchSubject(step, container)),
    finishErasure: (step: ErasureStep & { end: 'searched' | 'failed' }) => mapFailures(() => finishErasure(step, container)),
  };
}
