import type { Container } from '../services/container.js';
import { planMonitoring } from '../services/monitors/plan-monitoring.js';
import { runActivity } from './activity-run.js';

export function createMonitorActivities(container: Container) {
  return {
    planMonitoring: (input: { jobId: string; request: unknown; due: string }) =>
      runActivity(container, input.jobId, { stage: 'plan', from: 0, to: 0.05 }, () => planMonitoring(input, container)),
  };
}
