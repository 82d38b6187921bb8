import type { Client } from '@temporalio/client';
import type { ScheduleTiming } from '../../core/schemas/schedule.js';
import { createJobSchedule, type JobSchedule } from '../pipelines/job-schedule.js';

const present = ({ request: _, ...schedule }: JobSchedule) => schedule;

/** Retention by the clock: the policy is read anew each time. */
export function createRetentionSchedule(temporal: Client) {
  const schedule = createJobSchedule(temporal, {
    scheduleId: 'retention',
    missing: 'There is no schedule of retention. PUT /retention/schedule makes one.',
    workflowType: 'applyRetention',
    workflowId: 'retain-scheduled',
  });
  return {
    get: async () => present(await schedule.get()),
    put: async (when: ScheduleTiming) => present(await schedule.put(when, {}, {})),
    remove: () => schedule.remove(),
  };
}
