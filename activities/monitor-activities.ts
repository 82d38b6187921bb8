import type { Container } from '../services/container.js';
import { planMonitoring, type MonitoringPlan } from '../services/monitors/plan-monitoring.js';
import { measurePerformance } from '../services/performance/measure-performance.js';
import { runActivity } from './activity-run.js';

export function createMonitorActivities(container: Container) {
  return {
    planMonitoring: (input: { jobId: string; request: unknown; due: string }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.05 }, () => planMonitoring(input, container)),

    measurePerformance: (plan: MonitoringPlan) =>
      runActivity(container, plan.jobId, { stage: 'performance', from: 0.75, to: 1 }, () =>
        measurePerformance(plan, container),
      ),
  };
}
