import type { Client } from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import { timingShape } from '../../core/schemas/schedule.js';
import type { MonitorSettings } from '../../core/schemas/monitor.js';
import { z } from 'zod';
import { createJobSchedule, type JobSchedule } from '../pipelines/job-schedule.js';

const PREFIX = 'monitor-';
/** Rows of a window may still be on their way to the database when it ends. */
const SETTLE_SECONDS = 300;
/** So that the monitors of many models do not start at once. */
const JITTER_SECONDS = 300;
/** Windows of an outage are judged afterwards, one after another: who reads the series misses none. */
const CATCH_UP_SECONDS = 7 * 86_400;

const scheduleIdOf = (model: string) => PREFIX + model;

/** The model of a schedule of monitors; undefined of any other schedule. */
export const monitoredModelOf = (scheduleId: string) =>
  scheduleId.startsWith(PREFIX) ? scheduleId.slice(PREFIX.length) : undefined;

const timingSchema = z.strictObject(timingShape).omit({ cron: true });

/** The runs of one model's monitors by the clock. */
export function createMonitorSchedule(temporal: Client, model: string) {
  const schedule = createJobSchedule(temporal, {
    scheduleId: scheduleIdOf(model),
    missing: `The monitors of ${model} have no schedule: they are off, or no version is deployed. PUT /monitors/${model} makes one.`,
    workflowType: 'monitorModel',
    workflowId: `monitor-${model}-scheduled`,
  });
  return {
    /** Undefined where there is none. */
    async find(): Promise<JobSchedule | undefined> {
      try {
        return await schedule.get();
      } catch (error) {
        if (error instanceof ServiceError && error.code === 'schedule_not_found') return undefined;
        throw error;
      }
    },
    /** Makes it what the settings say: it runs as often as they say, or there is none. Repeatable. */
    async keep({ enabled, every_hours }: MonitorSettings): Promise<void> {
      if (!enabled) return schedule.remove();
      const timing = timingSchema.parse({
        overlap: 'buffer_all',
        jitter_seconds: JITTER_SECONDS,
        catch_up_seconds: CATCH_UP_SECONDS,
      });
      await schedule.put({ ...timing, every_hours, offset_seconds: SETTLE_SECONDS }, { model }, { model, every_hours });
    },
    remove: () => schedule.remove(),
  };
}
