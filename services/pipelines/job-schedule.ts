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
import { withTemporal } from './temporal-client.js';

/** After an outage, runs that were missed longer ago than this are not made up for: one is enough. */
const CATCH_UP = '10 minutes' as const;

export interface JobSchedule {
  schedule_id: string;
  cron: string;
  paused: boolean;
  next_runs: string[];
  recent_jobs: string[];
  /** The request of the jobs, as it was given. */
  request: unknown;
}

function present(scheduleId: string, description: ScheduleDescription): JobSchedule {
  const { state, info } = description;
  const memo = description.action.type === 'startWorkflow' ? description.action.memo : undefined;
  return {
    schedule_id: scheduleId,
    cron: String(memo?.['cron'] ?? ''),
    paused: state.paused,
    // Schedules of the first release have it under its former name.
    request: memo?.['request'] ?? memo?.['training'] ?? {},
    next_runs: info.nextActionTimes.slice(0, 5).map((time) => time.toISOString()),
    recent_jobs: info.recentActions.flatMap((action) =>
      action.action.type === 'startWorkflow' ? [action.action.workflow.workflowId] : [],
    ),
  };
}

/**
 * A job by the clock, kept by Temporal: it survives every restart, and never runs twice at once.
 * @param of the schedule's id, how a missing one is told, the workflow and how its ids begin
 */
export function createJobSchedule(
  temporal: Client,
  of: { scheduleId: string; missing: string; workflowType: string; workflowId: string },
) {
  const { scheduleId } = of;

  async function get(): Promise<JobSchedule> {
    try {
      return present(
        scheduleId,
        await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId).describe()),
      );
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) throw new ServiceError('schedule_not_found', of.missing);
      throw error;
    }
  }

  /** Creates or replaces the schedule. @param input what the workflow gets @param request what is shown of it */
  async function put(when: { cron: string; paused: boolean }, input: unknown, request: unknown): Promise<JobSchedule> {
    const cron = when.cron.trim();
    const options = {
      spec: { cronExpressions: [cron] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP },
      state: { paused: when.paused },
      action: {
        type: 'startWorkflow' as const,
        workflowType: of.workflowType,
        taskQueue: TASK_QUEUES.pipeline,
        workflowId: of.workflowId,
        args: [input],
        // Temporal takes a cron expression apart; here it is kept as it was written.
        memo: { cron, request },
      },
    };
    try {
      await withTemporal(temporal, () => temporal.schedule.create({ scheduleId, ...options }));
    } catch (error) {
      if (isBadCron(error)) throw badCron(cron, error);
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await replace(options);
    }
    return get();
  }

  /** In place, so that a bad expression leaves the former schedule as it is. */
  async function replace(options: ScheduleUpdateOptions): Promise<void> {
    try {
      await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId).update(() => options));
    } catch (error) {
      throw isBadCron(error) ? badCron(String(options.spec.cronExpressions), error) : error;
    }
  }

  async function remove(): Promise<void> {
    try {
      await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId).delete());
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
