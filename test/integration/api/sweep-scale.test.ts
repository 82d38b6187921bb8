import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryDatabase } from '../../support/query-database.js';
import { eventually, Service } from './support/service.js';
import { learnableTable, wideTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  algorithm: linear
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
wide:
  kind: classification
  algorithm: random_forest
  source: wide
  entity: id
  target: outcome
`;
/** Two configurations in all: each further trial is equal to one that was measured, and takes no time of its own. */
const INSTANT = {
  sampler: 'random',
  pruner: 'none',
  warm_start: false,
  space: { l2_regularization: { type: 'categorical', choices: [0.1, 1] } },
};
/** The most that a workflow may come to, by design; Temporal warns at 10,240 events and ends it at 51,200. */
const MOST_EVENTS = 5000;
/** From here on a run of a sweep hands on to another. */
const MOST_EVENTS_A_RUN = 4000;

let service: Service;
const sweepOf = async (jobId: string) =>
  (await service.get<{ state: string; counts: Record<string, number> }>(`/sweeps/sweep-${jobId}`)).body;

async function historiesOf(workflowId: string): Promise<{ events: number; bytes: number; continued: boolean }[]> {
  const connection = await Connection.connect({ address: service.stack.addresses.temporal });
  const client = new Client({ connection });
  const found: { events: number; bytes: number; continued: boolean }[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const description = await client.workflow.getHandle(workflowId, run.runId).describe();
    found.push({
      events: description.historyLength,
      bytes: description.historySize ?? 0,
      continued: description.status.name === 'CONTINUED_AS_NEW',
    });
  }
  await connection.close();
  return found;
}

/** Tells a paused sweep to pause, until its history is as long as that of a run may be. */
async function growHistory(workflowId: string): Promise<void> {
  const connection = await Connection.connect({ address: service.stack.addresses.temporal });
  const handle = new Client({ connection }).workflow.getHandle(workflowId);
  for (let sent = 0; sent < MOST_EVENTS_A_RUN; sent += 50)
    await Promise.all(Array.from({ length: 50 }, () => handle.signal('pause')));
  await connection.close();
}

beforeAll(async () => {
  service = await Service.start(MODELS, { MAX_CONCURRENT_JOBS: '3', TRAINING_MEMORY_MB: '300' });
  service.file('customers.csv', learnableTable(300));
  service.file('wide.csv', wideTable(6000, 40));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  await service.run('/data/ingest', { source: 'wide.csv', data_type: 'wide' });
});
afterAll(() => service?.stop());

describe('a large sweep', () => {
  it('stays below the limits of a history, so that one of 10,000 trials does, too, and goes on in another run where it comes near', async () => {
    const trials = 300;
    const id = await service.start('/models/train', {
      model_type: 'customers',
      search: { ...INSTANT, trials, parallelism: 16 },
    });
    const sweep = `/sweeps/sweep-${id}`;
    await eventually('the sweep', async () => ((await service.get(sweep)).status === 200 ? true : undefined));
    expect((await service.post<{ state: string }>(`${sweep}/pause`)).body.state).toBe('paused');
    await growHistory(`sweep-${id}`);
    // Behind thousands of signals it may take longer than a caller waits, who then asks again.
    await eventually('the end of the pause', async () =>
      (await service.post(`${sweep}/resume`)).status === 200 ? true : undefined,
    );
    const job = await service.ended(id, 280_000);
    expect(job.status).toBe('completed');
    expect(await sweepOf(id)).toMatchObject({ state: 'completed', counts: { completed: trials } });
    const runs = await historiesOf(`sweep-${id}`);
    expect(runs.filter(({ continued }) => continued).length).toBe(runs.length - 1);
    expect(runs.length).toBeGreaterThan(1);
    const last = runs.find(({ continued }) => !continued)!;
    expect(last.events, 'several trials an activity').toBeLessThan(2 * trials);
    for (const { events, bytes } of runs) {
      expect(events).toBeLessThan(MOST_EVENTS);
      expect(bytes).toBeLessThan(2 ** 21);
    }
    const [parent] = await historiesOf(id);
    expect(parent!.events).toBeLessThan(100);
  });
});

describe('sweeps beside other jobs', () => {
  it('let a small job pass: it does not wait for the trials that have queued before it', async () => {
    const space = { n_estimators: { type: 'int', low: 20, high: 40 }, max_depth: { type: 'int', low: 2, high: 4 } };
    const large = await service.start('/models/train', {
      model_type: 'wide',
      search: { trials: 500, parallelism: 100, pruner: 'none', sampler: 'random', warm_start: false, space },
    });
    const busy = await eventually('trials that queue', async () => {
      const { counts } = await sweepOf(large).catch(() => ({ counts: undefined }));
      return (counts?.['completed'] ?? 0) > 2 ? counts : undefined;
    });
    const small = await service.ended(await service.start('/models/train', { model_type: 'customers' }), 200_000);
    expect(small.status).toBe('completed');
    const { counts } = await sweepOf(large);
    expect(counts['completed']! - busy['completed']!, 'hundreds of trials were waiting').toBeLessThan(60);
    expect(counts['running']).toBeGreaterThan(0);
    await service.post(`/jobs/${large}/cancel`);
    await service.ended(large);
  });
});

describe('a trial that needs more memory than it may', () => {
  it('fails with the limit in its reason, and neither the sweep nor the worker does', async () => {
    const pid = service.stack.pid('training-worker');
    const space = {
      n_estimators: { type: 'categorical', choices: [5, 2000] },
      max_depth: { type: 'categorical', choices: [60] },
    };
    const id = await service.start('/models/train', {
      model_type: 'wide',
      search: { trials: 4, parallelism: 2, pruner: 'none', sampler: 'random', seed: 3, warm_start: false, space },
    });
    await service.ended(id, 280_000);
    const { counts } = await sweepOf(id);
    const rows = await queryDatabase<{ n: number; state: string; reason: string | null }>(
      service.stack.addresses.databaseUrl,
      `SELECT (configuration->>'n_estimators')::int AS n, state, reason FROM sweep_trials WHERE sweep_id = $1`,
      [`sweep-${id}`],
    );
    expect(counts['failed']).toBeGreaterThan(0);
    for (const { n, state, reason } of rows) {
      expect(state).toBe(n === 2000 ? 'failed' : 'completed');
      if (n === 2000) expect(reason).toMatch(/more than 300 MiB, the limit of TRAINING_MEMORY_MB/);
    }
    expect(service.stack.pid('training-worker')).toBe(pid);
  });
});
