import type { Client } from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import type { ScheduleRequest } from '../../core/schemas/schedule.js';
import { createJobSchedule, type JobSchedule } from './job-schedule.js';

export interface RetrainSchedule extends Omit<JobSchedule, 'request'> {
  model: string;
  on_drift: boolean;
  training: unknown;
}

/** What a schedule shows of its request. */
interface ShownRequest {
  on_drift?: boolean;
  training?: unknown;
}

/** Retraining by the clock. */
export function createRetrainSchedules(temporal: Client) {
  const of = (model: string) =>
    createJobSchedule(temporal, {
      scheduleId: `retrain-${model}`,
      missing: `There is no schedule for ${model}. PUT /schedules/${model} makes one.`,
      workflowType: 'trainModel',
      workflowId: `train-${model}-scheduled`,
    });
  const present = (model: string, { request, ...schedule }: JobSchedule): RetrainSchedule => {
    const shown = request as ShownRequest;
    // Schedules of earlier releases show the training alone.
    const { on_drift = false, training = shown } = shown.training === undefined ? {} : shown;
    return { model, ...schedule, on_drift, training };
  };
  const get = async (model: string) => present(model, await of(model).get());
  return {
    get,
    /** Those of the given models that have one, each as it is now. */
    async list(models: readonly string[]): Promise<RetrainSchedule[]> {
      const found = await Promise.all(
        models.map((model) =>
          get(model).catch((error: unknown) => {
            if (error instanceof ServiceError && error.code === 'schedule_not_found') return undefined;
            throw error;
          }),
        ),
      );
      return found.filter((schedule) => schedule !== undefined);
    },
    /** Creates or replaces the schedule. */
    put: async (model: string, { training, on_drift, ...when }: ScheduleRequest) =>
      present(model, await of(model).put(when, { model_type: model, ...training }, { on_drift, training })),
    pause: async (model: string, note: string) => present(model, await of(model).pause(note)),
    resume: async (model: string, note: string) => present(model, await of(model).resume(note)),
    trigger: async (model: string) => present(model, await of(model).trigger()),
    remove: (model: string) => of(model).remove(),
  };
}
