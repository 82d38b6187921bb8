import type { Client } from '@temporalio/client';
import type { DrillScheduleRequest } from '../../core/schemas/drill.js';
import { createJobSchedule, type JobSchedule } from '../pipelines/job-schedule.js';

const present = ({ request, ...schedule }: JobSchedule) => ({ ...schedule, drill: request });

/** Drills by the clock: one schedule, whatever kind of drill it holds. */
export function createDrillSchedule(temporal: Client) {
  const schedule = createJobSchedule(temporal, {
    scheduleId: 'drill',
    missing: 'There is no schedule of drills. PUT /drills/schedule makes one.',
    workflowType: 'drillRollout',
    workflowId: 'drill-scheduled',
  });
  return {
    get: async () => present(await schedule.get()),
    put: async ({ drill, ...when }: DrillScheduleRequest) => present(await schedule.put(when, drill, drill)),
    remove: () => schedule.remove(),
  };
}
