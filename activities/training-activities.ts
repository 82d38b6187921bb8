import { join } from 'node:path';
import type { Container } from '../services/container.js';
import { holdDatasets } from '../services/retention/dataset-holds.js';
import { registerVersion } from '../services/registry/register-version.js';
import { RECIPES } from '../services/kinds/recipes.js';
import { planTraining } from '../services/training/plan-training.js';
import { runTrainer } from '../services/training/run-trainer.js';
import { beginRun } from '../services/tracking/begin-run.js';
import { noteVersionOfRun } from '../services/tracking/note-version.js';
import { createRunRecorder } from '../services/tracking/run-recorder.js';
import type { TrainerStep } from '../services/training/trainer-process.js';
import { datasetsOf, type TrainingPlan } from '../services/training/training-plan.js';
import { runActivity, type StageRange } from './activity-run.js';
import { SEARCH_PROGRESS } from './search-activities.js';
import { bringFolder, inSharedFolder } from '../services/storage/shared-files.js';

/** Steps before and after the fits, on the pipeline workers. */
export function createTrainingActivities(container: Container) {
  const { config, database, folders, failPoint } = container;
  const staging = (plan: TrainingPlan) => join(folders.modelStaging, plan.jobId);
  return {
    planTraining: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.02 }, async () => {
        const plan = await planTraining(input, {
          config: await container.readModelsConfig(),
          database,
          views: container.featureViews,
          maxTrainingTimeSeconds: config.maxTrainingTimeSeconds,
          autoMl: config.autoMl,
          gpuEnabled: config.gpuEnabled,
        });
        await holdDatasets(database, input.jobId, datasetsOf(plan));
        await beginRun(database, plan);
        return plan;
      }),
    buildTrainingTable: (plan: TrainingPlan) =>
      runActivity(container, plan.jobId, { stage: 'features', from: 0.02, to: 0.15 }, () =>
        inSharedFolder(staging(plan), {}, () =>
          container.stepCache.stageTable(plan, staging(plan), () =>
            RECIPES[plan.kind].buildTable(plan, { datasets: folders.datasets, staging: staging(plan) }),
          ),
        ),
      ),
    registerVersion: (plan: TrainingPlan) =>
      runActivity(container, plan.jobId, { stage: 'register', from: 0.97, to: 0.99 }, async () => {
        const { modelStoragePath } = config;
        await bringFolder(staging(plan));
        const version = await registerVersion(plan, { database, modelStoragePath, staging: staging(plan), failPoint });
        await noteVersionOfRun(plan.jobId, version, { database, modelStoragePath });
        return version;
      }),
  };
}

const fitFrom = ({ search }: TrainingPlan) => (search ? SEARCH_PROGRESS.to : 0.15);
/** Where cross-validation begins. */
const fitTo = ({ search }: TrainingPlan) => (search ? 0.7 : 0.35);

/** So much of a fit is lost, beside what a checkpoint lags behind, when its machine is. */
const SEND_EVERY_MS = 20_000;

/** CPU-bound steps, on the training workers; each in a process of its own. */
export function createFitActivities(container: Container) {
  const { config, folders } = container;
  const runStep = (plan: TrainingPlan, step: TrainerStep, range: StageRange) =>
    runActivity(container, plan.jobId, range, ({ signal, attempt, report }) => {
      const limits = { seconds: plan.fitTimeoutSeconds, memoryMb: config.trainingMemoryMb, signal };
      const order = { step, plan, staging: join(folders.modelStaging, plan.jobId), threads: config.trainingThreads };
      const recorder = createRunRecorder(plan.jobId, { step, attempt }, container);
      const told = { progress: report, measured: recorder.measured, ended: recorder.ended };
      return inSharedFolder(order.staging, { sendEveryMs: SEND_EVERY_MS }, () => runTrainer(order, limits, told));
    });
  return {
    fitModel: (plan: TrainingPlan) =>
      runStep(plan, 'fit', { stage: 'fit', from: fitFrom(plan), to: plan.crossValidation ? fitTo(plan) : 0.85 }),
    crossValidate: (plan: TrainingPlan) =>
      runStep(plan, 'cross_validate', { stage: 'cross_validate', from: fitTo(plan), to: 0.85 }),
    evaluateModel: (plan: TrainingPlan) => runStep(plan, 'evaluate', { stage: 'evaluate', from: 0.85, to: 0.97 }),
  };
}
