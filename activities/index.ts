import type { Container } from '../services/container.js';
import { createDeploymentActivities } from './deployment-activities.js';
import { createDrillActivities } from './drill-activities.js';
import { createEncryptionActivities } from './encryption-activities.js';
import { createExperimentActivities } from './experiment-activities.js';
import { createFeatureActivities } from './feature-activities.js';
import { createIngestionActivities } from './ingestion-activities.js';
import { createJobActivities } from './job-activities.js';
import { createMonitorActivities } from './monitor-activities.js';
import { createPreprocessingActivities } from './preprocessing-activities.js';
import { createQuarantineActivities } from './quarantine-activities.js';
import { createRepairActivities } from './repair-activities.js';
import { createRetentionActivities } from './retention-activities.js';
import { createSweepActivities, createTrialActivities } from './search-activities.js';
import { createFitActivities, createTrainingActivities } from './training-activities.js';

/** Activities of the task queue `pipeline`: small records, data, checks. */
export function createPipelineActivities(container: Container) {
  return {
    ...createJobActivities(container),
    ...createIngestionActivities(container),
    ...createPreprocessingActivities(container),
    ...createQuarantineActivities(container),
    ...createTrainingActivities(container),
    ...createDeploymentActivities(container),
    ...createExperimentActivities(container),
    ...createDrillActivities(container),
    ...createFeatureActivities(container),
    ...createRepairActivities(container),
    ...createRetentionActivities(container),
    ...createEncryptionActivities(container),
    ...createSweepActivities(container),
    ...createMonitorActivities(container),
  };
}

/** Activities of the task queue `training`: CPU-bound, in processes of their own. */
export function createLearningActivities(container: Container) {
  return { ...createFitActivities(container), ...createTrialActivities(container) };
}

/** What workflows may call; they import this type and nothing else from here. */
export type Activities = ReturnType<typeof createPipelineActivities> & ReturnType<typeof createLearningActivities>;
