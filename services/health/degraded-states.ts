import type { SpoolState } from '../spool/spool.js';
import type { TaskQueueState } from './task-queues.js';

export interface DependencyHealth {
  status: 'up' | 'down';
  latency_ms: number;
  /** What is degraded while it is down. */
  affects: string;
  /** Why it is down. */
  error?: string;
  /** The latest failure that any API process has met, also when it is over. */
  last_error: { message: string; at: string } | null;
}

export interface DiskState {
  free_bytes: number;
  total_bytes: number;
}

/** What health is judged by. */
export interface Observations {
  dependencies: Record<string, DependencyHealth>;
  /** Empty while Temporal is away. */
  task_queues: readonly TaskQueueState[];
  /** Of all API processes together. */
  spools: Record<string, SpoolState>;
  disks: Record<string, DiskState>;
  /** Models that have a version deployed and whose requests no version answers in this process. */
  not_served: readonly string[];
}

export interface DegradedState {
  state: string;
  affects: string;
}

/** The name of each state in which a dependency is down. */
export const DOWN: Record<string, string> = {
  database: 'database_away',
  database_schema: 'migrations_pending',
  temporal: 'temporal_away',
  pipeline_worker: 'pipeline_worker_missing',
  training_worker: 'training_worker_missing',
  model_storage: 'model_storage_failing',
  data_storage: 'data_storage_failing',
  models_config: 'models_config_unreadable',
  redis: 'redis_away',
};

/** Tasks of notes and checks are taken at once by a worker that is well. */
const OLD_BACKLOG_SECONDS = 60;
/** Fits wait for their turn when many were asked for, so only a long wait says something. */
const OLD_TRAINING_BACKLOG_SECONDS = 3600;
const FULL_SPOOL_SHARE = 0.5;
const LEAST_FREE_BYTES = 2 ** 30;

/** Names all that is not as it should be, in the order in which it matters. A function of what was observed and nothing else. */
export function nameDegradedStates(observed: Observations): DegradedState[] {
  const states: DegradedState[] = [];
  if (observed.not_served.length > 0)
    states.push({ state: 'models_not_served', affects: `predictions of ${observed.not_served.join(', ')}` });
  for (const [name, { status, affects }] of Object.entries(observed.dependencies))
    if (status === 'down') states.push({ state: DOWN[name] ?? `${name}_down`, affects });
  for (const { queue, backlog, oldest_seconds: oldest } of observed.task_queues) {
    const bound = queue === 'training' ? OLD_TRAINING_BACKLOG_SECONDS : OLD_BACKLOG_SECONDS;
    if (backlog > 0 && oldest > bound)
      states.push({ state: `${queue}_backlog_old`, affects: `${backlog} tasks wait, the oldest for ${oldest} s` });
  }
  for (const [name, { bytes, most_bytes: most }] of Object.entries(observed.spools))
    if (bytes > FULL_SPOOL_SHARE * most)
      states.push({ state: `${name}_spool_filling`, affects: `${name} are given up or refused once it is full` });
  for (const [name, { free_bytes: free }] of Object.entries(observed.disks))
    if (free < LEAST_FREE_BYTES)
      states.push({ state: `${name}_disk_low`, affects: `writing to the ${name} folder fails once the disk is full` });
  return states;
}
