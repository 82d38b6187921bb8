import { Counter, Histogram, type Registry } from 'prom-client';
import type { EndedJob } from '../jobs/job-store.js';

/** Buckets from a small ingestion to a day. */
const SECONDS = [0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];

/** Counts and times jobs as they end, in whichever process writes that down: each end is counted once. */
export function createJobMetrics(registry: Registry): (ended: EndedJob, status: string) => void {
  const registers = [registry];
  const ends = new Counter({
    name: 'mlops_jobs_ended_total',
    help: 'Jobs that ended, by type and by how.',
    labelNames: ['type', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'mlops_job_duration_seconds',
    help: 'Time from the first step of a job to its end.',
    labelNames: ['type', 'status'],
    buckets: SECONDS,
    registers,
  });
  const training = new Histogram({
    name: 'mlops_training_duration_seconds',
    help: 'Time from the first step of a training to its end, of trainings that came to a version.',
    labelNames: ['model'],
    buckets: SECONDS,
    registers,
  });
  return ({ type, model, seconds }, status) => {
    ends.inc({ type, status });
    duration.observe({ type, status }, seconds);
    if (type === 'train' && status === 'completed' && model !== null) training.observe({ model }, seconds);
  };
}
