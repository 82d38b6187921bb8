import type { Container } from '../services/container.js';
import { closeExperiment, type ExperimentResult } from '../services/experiments/close-experiment.js';
import { evaluateExperiment } from '../services/experiments/evaluate-experiment.js';
import { openExperiment, type OpenExperiment } from '../services/experiments/open-experiment.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createExperimentActivities(container: Container) {
  const { database } = container;
  return {
    openExperiment: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.1 }, () =>
        openExperiment(input, { ...container, modelStoragePath: container.config.modelStoragePath }),
      ),
    evaluateExperiment: (input: OpenExperiment & { window: number; progress: number }) =>
      runActivity(container, input.jobId, { stage: 'observe', from: input.progress, to: input.progress }, () =>
        evaluateExperiment(input, { database }),
      ),
    closeExperiment: (input: {
      experimentId: string;
      state: ExperimentResult['state'];
      reason: string;
      decision?: string;
      winner?: string;
    }) => mapFailures(() => closeExperiment(input, { database })),
  };
}
