import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { createJobMetrics } from './job-metrics.js';

export type ActivityOutcome = 'completed' | 'failed' | 'cancelled';

/** Buckets from a note in the database to a fit that takes a day. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];

/** The metrics of a worker. Labels come from closed sets: names of activities, outcomes, types of jobs, models of the config. */
export function createWorkerMetrics(component: string) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, labels: { component } });
  const registers = [registry];
  const activities = new Counter({
    name: 'mlops_activities_total',
    help: 'Attempts of activities that ended, by activity and by how.',
    labelNames: ['activity', 'outcome'],
    registers,
  });
  const activityDuration = new Histogram({
    name: 'mlops_activity_duration_seconds',
    help: 'Time that an attempt of an activity took.',
    labelNames: ['activity'],
    buckets: SECONDS,
    registers,
  });
  return {
    registry,
    onJobEnd: createJobMetrics(registry),
    /** Counts an attempt of an activity that has ended. */
    countActivity(activity: string, outcome: ActivityOutcome, seconds: number): void {
      activities.inc({ activity, outcome });
      activityDuration.observe({ activity }, seconds);
    },
  };
}

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;
