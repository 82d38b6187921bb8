import { describe, expect, it } from 'vitest';
import { nameDegradedStates, type Observations } from '../../../services/health/degraded-states.js';

const WELL: Observations = {
  dependencies: {
    database: { status: 'up', latency_ms: 1, affects: 'jobs', last_error: { message: 'was away', at: '2026-01-01' } },
  },
  task_queues: [
    { queue: 'pipeline', kind: 'activity', builds: [], pollers: 2, backlog: 3, oldest_seconds: 2 },
    { queue: 'training', kind: 'activity', builds: [], pollers: 1, backlog: 9, oldest_seconds: 900 },
  ],
  spools: { predictions: { rows: 10, bytes: 100, most_bytes: 1000 } },
  disks: { state: { free_bytes: 5e9, total_bytes: 1e10 } },
  not_served: [],
};
const statesOf = (more: Partial<Observations>) => nameDegradedStates({ ...WELL, ...more }).map(({ state }) => state);

describe('degraded states', () => {
  it('are none while all is well, though something failed before and trainings wait for their turn', () => {
    expect(statesOf({})).toEqual([]);
  });

  it.each<[string, Partial<Observations>]>([
    ['models_not_served', { not_served: ['churn'] }],
    [
      'database_away',
      { dependencies: { database: { status: 'down', latency_ms: 1, affects: 'jobs', error: 'x', last_error: null } } },
    ],
    [
      'pipeline_backlog_old',
      {
        task_queues: [{ queue: 'pipeline', kind: 'activity', builds: [], pollers: 0, backlog: 1, oldest_seconds: 61 }],
      },
    ],
    [
      'training_backlog_old',
      {
        task_queues: [
          { queue: 'training', kind: 'activity', builds: [], pollers: 1, backlog: 1, oldest_seconds: 3601 },
        ],
      },
    ],
    ['predictions_spool_filling', { spools: { predictions: { rows: 1, bytes: 501, most_bytes: 1000 } } }],
    ['state_disk_low', { disks: { state: { free_bytes: 1e9, total_bytes: 1e12 } } }],
  ])('name %s', (state, more) => {
    expect(statesOf(more)).toEqual([state]);
  });
});
