import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
} from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import { TASK_QUEUES } from '../../core/names.js';
import type { ScheduleRequest } from '../../core/schemas/schedule.js';
import { withTemporal } from './temporal-client.js';

const scheduleId = (model: string) => `retrain-${model}`;

/** After an outage, runs that were missed longer ago than this are not made up for: one retraining is enough. */
const CATCH_UP = '10 minutes';

export interface RetrainSchedule {
  model: string;
  schedule_id: string;
  cron: string;
  paused: boolean;
  training: unknown;
  next_runs: string[];
  recent_jobs: string[];
}

function present(model: string, description: ScheduleDescription): RetrainSchedule {
  const { memo, state, info } = description;
  return {
    model,
    schedule_id: scheduleId(model),
    cron: String(memo?.['cron'] ?? ''),
    paused: state.paused,
    training: memo?.['training'] ?? {},
    next_runs: info.nextActionTimes.slice(0, 5).map((time) => time.toISOString()),
    recent_jobs: info.recentActions.flatMap((action) =>
      action.action.type === 'startWorkflow' ? [action.action.workflow.workflowId] : [],
    ),
  };
}

/** Retraining by the clock, kept by Temporal: it survives every restart, and never runs twice at once. */
export function createRetrainSchedules(temporal: Client) {
  async function get(model: string): Promise<RetrainSchedule> {
    try {
      return present(
        model,
        await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId(model)).describe()),
      );
    } catch (error) {
      if (error instanceof ScheduleNotFoundError)
        throw new ServiceError(
          'schedule_not_found',
          `There is no schedule for ${model}. PUT /schedules/${model} makes one.`,
        );
      throw error;
    }
  }

  /** Creates or replaces the schedule. */
  async function put(model: string, request: ScheduleRequest): Promise<RetrainSchedule> {
    const action = {
      type: 'startWorkflow' as const,
      workflowType: 'trainModel',
      taskQueue: TASK_QUEUES.pipeline,
      workflowId: `train-${model}-scheduled`,
      args: [{ model_type: model, ...request.training }],
    };
    const spec = { cronExpressions: [request.cron.trim()] };
    const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP };
    const memo = { cron: request.cron.trim(), training: request.training };
    try {
      await withTemporal(temporal, () =>
        temporal.schedule.create({
          scheduleId: scheduleId(model),
          spec,
          action,
          policies,
          memo,
          state: { paused: request.paused },
        } as never),
      );
    } catch (error) {
      if (isBadCron(error))
        throw new ServiceError('request_invalid', `The cron expression "${request.cron}" is not valid.`, [
          { path: 'cron', message: 'is not a valid cron expression' },
        ]);
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      // Its memo cannot be changed, so it is replaced; runs under way go on.
      await remove(model);
      return put(model, request);
    }
    return get(model);
  }

  async function remove(model: string): Promise<void> {
    try {
      await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId(model)).delete());
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }

  return { get, put, remove };
}

function isBadCron(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    if (/cron|invalid schedule spec/i.test(cause.message)) return true;
  return false;
}
