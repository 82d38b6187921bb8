import type { Container } from '../services/container.js';
import { measureDrift } from '../services/drift/measure-drift.js';
import { planMonitoring, type MonitoringPlan } from '../services/monitors/plan-monitoring.js';
import { measurePerformance } from '../services/performance/measure-performance.js';
import { runActivity } from './activity-run.js';

export function createMonitorActivities(container: Container) {
  return {
    planMonitoring: (input: { jobId: string; request: unknown; due: string }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.05 }, () => planMonitoring(input, container)),

    measureDrift: (plan: MonitoringPlan) =>
      runActivity(container, plan.jobId, { stage: 'drift', from: 0.05, to: 0.6 }, (run) =>
        measureDrift(plan, { ...container, ...run }, run.report),
      ),

    measurePerformance: (plan: MonitoringPlan) =>
      runActivity(container, plan.jobId, { stage: 'performance', from: 0.6, to: 0.99 }, () =>
        measurePerformance(plan, container),
      ),
  };
}
