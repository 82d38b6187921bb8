import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleDescription,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import { TASK_QUEUES } from '../../core/names.js';
import type { ScheduleRequest } from '../../core/schemas/schedule.js';
import { withTemporal } from './temporal-client.js';

const scheduleId = (model: string) => `retrain-${model}`;

/** After an outage, runs that were missed longer ago than this are not made up for: one retraining is enough. */
const CATCH_UP = '10 minutes' as const;

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
  const { state, info } = description;
  const memo = description.action.type === 'startWorkflow' ? description.action.memo : undefined;
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
    const cron = request.cron.trim();
    const options = {
      spec: { cronExpressions: [cron] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP },
      state: { paused: request.paused },
      action: {
        type: 'startWorkflow' as const,
        workflowType: 'trainModel',
        taskQueue: TASK_QUEUES.pipeline,
        workflowId: `train-${model}-scheduled`,
        args: [{ model_type: model, ...request.training }],
        // Temporal takes a cron expression apart; here it is kept as it was written.
        memo: { cron, training: request.training },
      },
    };
    try {
      await withTemporal(temporal, () => temporal.schedule.create({ scheduleId: scheduleId(model), ...options }));
    } catch (error) {
      if (isBadCron(error)) throw badCron(cron, error);
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await replace(model, options);
    }
    return get(model);
  }

  /** In place, so that a bad expression leaves the former schedule as it is. */
  async function replace(model: string, options: ScheduleUpdateOptions): Promise<void> {
    try {
      await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId(model)).update(() => options));
    } catch (error) {
      throw isBadCron(error) ? badCron(String(options.spec.cronExpressions), error) : error;
    }
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

/** The SDK turns what Temporal calls an invalid argument into a TypeError; all but the expression is made by us. */
const isBadCron = (error: unknown): error is TypeError => error instanceof TypeError;

const badCron = (cron: string, { message }: TypeError) =>
  new ServiceError('request_invalid', `The cron expression "${cron}" is not valid: ${message}.`, [
    { path: 'cron', message: `is not a valid cron expression: ${message}` },
  ]);
