import type { Client } from '@temporalio/client';
import type { ScheduleRequest } from '../../core/schemas/schedule.js';
import { createJobSchedule, type JobSchedule } from './job-schedule.js';

export interface RetrainSchedule extends Omit<JobSchedule, 'request'> {
  model: string;
  training: unknown;
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
  const present = (model: string, { request, ...schedule }: JobSchedule): RetrainSchedule => ({
    model,
    ...schedule,
    training: request,
  });
  return {
    get: async (model: string) => present(model, await of(model).get()),
    /** Creates or replaces the schedule. */
    put: async (model: string, { training, ...when }: ScheduleRequest) =>
      present(model, await of(model).put(when, { model_type: model, ...training }, training)),
    remove: (model: string) => of(model).remove(),
  };
}
