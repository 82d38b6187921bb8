import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type Client,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOverlapPolicy,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import { TASK_QUEUES } from '../../core/names.js';
import type { OverlapPolicy, ScheduleTiming } from '../../core/schemas/schedule.js';
import { withTemporal } from './temporal-client.js';

/** When a job starts: by five fields of cron, or on whole multiples of hours since 1970, so many seconds after each. */
export type JobTiming = Omit<ScheduleTiming, 'cron'> &
  (Pick<ScheduleTiming, 'cron'> | { every_hours: number; offset_seconds: number });

export interface JobSchedule extends Omit<ScheduleTiming, 'note'> {
  schedule_id: string;
  note: string | null;
  /** When the next ones are due; of a paused schedule those that are left out unless it is resumed. */
  next_runs: string[];
  /** The latest first. */
  recent_runs: { job_id: string; scheduled_at: string; started_at: string }[];
  runs: { started: number; skipped: number; missed: number };
  /** The request of the jobs, as it was given. */
  request: unknown;
}

/** A schedule as a backup keeps it. */
export interface StoredSchedule extends ScheduleTiming {
  schedule_id: string;
  workflow_type: string;
  /** How the ids of its runs begin. */
  workflow_id: string;
  /** What the workflow gets, and what is shown of it. */
  input: unknown;
  request: unknown;
}

/** How many of the next and of the last runs are told. */
const MOST_RUNS = 5;
/** For reading all of them, one after the other. */
const SCHEDULES_DEADLINE_MS = 10_000;

function present(scheduleId: string, { state, info, action, spec, policies }: ScheduleDescription): JobSchedule {
  const memo = action.type === 'startWorkflow' ? action.memo : undefined;
  return {
    schedule_id: scheduleId,
    cron: String(memo?.['cron'] ?? ''),
    timezone: spec.timezone || 'UTC',
    overlap: (policies.overlap ?? 'SKIP').toLowerCase() as OverlapPolicy,
    jitter_seconds: (spec.jitter ?? 0) / 1000,
    catch_up_seconds: policies.catchupWindow / 1000,
    paused: state.paused,
    note: state.note || null,
    // Schedules of the first release have it under its former name.
    request: memo?.['request'] ?? memo?.['training'] ?? {},
    next_runs: info.nextActionTimes.slice(0, MOST_RUNS).map((time) => time.toISOString()),
    recent_runs: info.recentActions
      .flatMap((run) =>
        run.action.type === 'startWorkflow'
          ? [
              {
                job_id: run.action.workflow.workflowId,
                scheduled_at: run.scheduledAt.toISOString(),
                started_at: run.takenAt.toISOString(),
              },
            ]
          : [],
      )
      .toReversed()
      .slice(0, MOST_RUNS),
    runs: {
      started: info.numActionsTaken,
      skipped: info.numActionsSkippedOverlap,
      missed: info.numActionsMissedCatchupWindow,
    },
  };
}

/**
 * A job by the clock, kept by Temporal: it survives every restart.
 * @param of the schedule's id, how a missing one is told, the workflow and how its ids begin
 */
export function createJobSchedule(
  temporal: Client,
  of: { scheduleId: string; missing: string; workflowType: string; workflowId: string },
) {
  const { scheduleId } = of;

  /** @throws ServiceError `schedule_not_found`, `dependency_unavailable` */
  async function reach<T>(work: (handle: ScheduleHandle) => Promise<T>): Promise<T> {
    try {
      return await withTemporal(temporal, () => work(temporal.schedule.getHandle(scheduleId)));
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) throw new ServiceError('schedule_not_found', of.missing);
      throw error;
    }
  }

  const get = async (): Promise<JobSchedule> => present(scheduleId, await reach((handle) => handle.describe()));

  /** Creates or replaces the schedule. @param input what the workflow gets @param request what is shown of it */
  async function put(when: JobTiming, input: unknown, request: unknown): Promise<JobSchedule> {
    const cron = 'cron' in when ? when.cron.trim() : '';
    const times =
      'cron' in when
        ? { cronExpressions: [cron], timezone: when.timezone }
        : { intervals: [{ every: `${when.every_hours} hours` as const, offset: when.offset_seconds * 1000 }] };
    const options = {
      spec: { ...times, jitter: when.jitter_seconds * 1000 },
      policies: {
        overlap: when.overlap.toUpperCase() as ScheduleOverlapPolicy,
        catchupWindow: when.catch_up_seconds * 1000,
      },
      state: { paused: when.paused, ...(when.note === undefined ? {} : { note: when.note }) },
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
      await reach((handle) => handle.update(() => options));
    } catch (error) {
      throw isBadCron(error) ? badCron(String(options.spec.cronExpressions), error) : error;
    }
  }

  /** Starts no run until it is resumed; those under way go on. */
  async function pause(note: string): Promise<JobSchedule> {
    await reach((handle) => handle.pause(note));
    return get();
  }

  async function resume(note: string): Promise<JobSchedule> {
    await reach((handle) => handle.unpause(note));
    return get();
  }

  /** Starts a run now, also of a schedule that is paused; its overlap policy holds for this run, too. */
  async function trigger(): Promise<JobSchedule> {
    await reach((handle) => handle.trigger());
    return get();
  }

  async function remove(): Promise<void> {
    try {
      await withTemporal(temporal, () => temporal.schedule.getHandle(scheduleId).delete());
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    }
  }

  return { get, put, pause, resume, trigger, remove };
}

/** The SDK turns what Temporal calls an invalid argument into a TypeError; all but the expression is made by us. */
const isBadCron = (error: unknown): error is TypeError => error instanceof TypeError;

const badCron = (cron: string, { message }: TypeError) =>
  new ServiceError('request_invalid', `The cron expression "${cron}" is not valid: ${message}.`, [
    { path: 'cron', message: `is not a valid cron expression: ${message}` },
  ]);

/** The schedules that somebody has made, for a backup. @throws ServiceError `dependency_unavailable` */
export function readSchedules(temporal: Client): Promise<StoredSchedule[]> {
  return withTemporal(
    temporal,
    async () => {
      const stored: StoredSchedule[] = [];
      for await (const { scheduleId } of temporal.schedule.list()) {
        const description = await temporal.schedule.getHandle(scheduleId).describe();
        const { action } = description;
        if (action.type !== 'startWorkflow') continue;
        const { cron, timezone, overlap, jitter_seconds, catch_up_seconds, paused, note, request } = present(
          scheduleId,
          description,
        );
        // Those by an interval follow from the database: the service makes them itself.
        if (cron === '') continue;
        stored.push({
          schedule_id: scheduleId,
          workflow_type: action.workflowType,
          workflow_id: action.workflowId ?? scheduleId,
          input: action.args?.[0] ?? {},
          request,
          cron,
          timezone,
          overlap,
          jitter_seconds,
          catch_up_seconds,
          paused,
          ...(note === null ? {} : { note }),
        });
      }
      return stored;
    },
    SCHEDULES_DEADLINE_MS,
  );
}

/** Makes the schedules of a backup again; one that is there already is replaced. Repeatable. */
export async function putSchedules(temporal: Client, schedules: readonly StoredSchedule[]): Promise<void> {
  for (const { schedule_id, workflow_type, workflow_id, input, request, ...when } of schedules)
    await createJobSchedule(temporal, {
      scheduleId: schedule_id,
      missing: `There is no schedule ${schedule_id}.`,
      workflowType: workflow_type,
      workflowId: workflow_id,
    }).put(when, input, request);
}
