import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryDatabase } from '../../support/query-database.js';
import { eventually, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
straight:
  kind: classification
  algorithm: linear
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
load:
  kind: resource_usage
  source: customers
`;

interface SweepBody {
  sweep_id: string;
  state: string;
  trials: number;
  timeout_seconds: number | null;
  counts: Record<'running' | 'completed' | 'pruned' | 'failed' | 'stopped', number>;
  best: { trial: number; loss: number; configuration: Record<string, unknown> } | null;
  warm_start: { sweep_id: string | null; configurations: object[] };
  reason: string | null;
}
interface TrialBody {
  trial: number;
  state: string;
  configuration: Record<string, unknown>;
  source: string;
  loss: number | null;
  curve: { resource: number; loss: number | null }[];
  reason: string | null;
  cached_from: string | null;
  peak_memory_mb: number | null;
}
interface VersionBody {
  parameters: { algorithm: string; hyperparameters: Record<string, unknown> };
  details: { search: { chosen: string; entrants: { name: string; configuration?: Record<string, unknown> }[] } };
  lineage: { sweep: { sweep_id: string; trial: number; trials: number; loss: number } };
}

let service: Service;

/** What a table of trials is, whoever ran it and when. */
const tableOf = (sweepId: string) =>
  queryDatabase<{ index: number; state: string; reason: string | null; configuration: object }>(
    service.stack.addresses.databaseUrl,
    `SELECT index, configuration, source, state, reports, losses, violation, metrics, reason FROM sweep_trials
     WHERE sweep_id = $1 ORDER BY index`,
    [sweepId],
  );
const SEARCH = { trials: 12, parallelism: 3, seed: 7, warm_start: false };
const requestOf = (search: object, model = 'customers') => ({ model_type: model, search });
const sweepOf = async (jobId: string) => (await service.get<SweepBody>(`/sweeps/sweep-${jobId}`)).body;
const trialsOf = async (jobId: string) =>
  (await service.get<{ items: TrialBody[] }>(`/sweeps/sweep-${jobId}/trials?limit=500`)).body.items;
const seen = (jobId: string, what: string, isSeen: (sweep: SweepBody) => boolean) =>
  eventually(what, async () => {
    const { status, body } = await service.get<SweepBody>(`/sweeps/sweep-${jobId}`);
    return status === 200 && isSeen(body) ? body : undefined;
  });

/** Slow enough to do something in the middle of. */
const SLOW = {
  ...SEARCH,
  trials: 200,
  pruner: 'none',
  space: {
    n_estimators: { type: 'int', low: 100, high: 300 },
    algorithm: { type: 'categorical', choices: ['random_forest'] },
  },
};

beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'true' });
  service.file('customers.csv', learnableTable(400));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
});
afterAll(() => service?.stop());

describe('a training job with a search', () => {
  let first: string;

  it('trains the version with the best configuration, and names the sweep and the trial in its lineage', async () => {
    const job = await service.ended(await service.start('/models/train', requestOf(SEARCH)));
    expect(job).toMatchObject({ status: 'completed', progress: 1 });
    first = job.job_id;
    const version = await service.get<VersionBody>(`/models/customers/versions/${String(job.result!['version'])}`);
    const { sweep } = version.body.lineage;
    const found = await sweepOf(first);
    expect(found).toMatchObject({
      sweep_id: sweep.sweep_id,
      state: 'completed',
      best: { trial: sweep.trial, loss: sweep.loss },
    });
    const trials = await trialsOf(first);
    expect(trials.map(({ trial }) => trial)).toEqual(Array.from({ length: 12 }, (_, at) => 11 - at));
    const losses = trials.flatMap(({ loss }) => (loss === null ? [] : [loss]));
    expect(sweep.loss).toBe(Math.min(...losses));
    expect(sweep.loss, 'better than base rates').toBeLessThan(0.8);
    expect(found.counts.completed + found.counts.pruned).toBe(12);
    for (const { curve, state } of trials) expect(curve.length).toBeGreaterThanOrEqual(state === 'completed' ? 5 : 1);
    // Which of the finalists is fitted, rows decide that no trial has seen.
    const { chosen, entrants } = version.body.details.search;
    const taken = entrants.find(({ name }) => name === chosen)!;
    if (taken.configuration) {
      const { algorithm, hyperparameters } = version.body.parameters;
      expect(algorithm).toBe(taken.configuration['algorithm']);
      for (const [name, value] of Object.entries(taken.configuration))
        if (name.startsWith(`${algorithm}.`) && !name.endsWith('n_estimators'))
          expect(hyperparameters[name.split('.')[1]!]).toBe(value);
    }
  });

  it('comes to the same table with the same seed, budget and parallelism, and measures no equal trial twice', async () => {
    const job = await service.ended(await service.start('/models/train', requestOf(SEARCH)));
    expect(await tableOf(`sweep-${job.job_id}`)).toEqual(await tableOf(`sweep-${first}`));
    const completed = (await trialsOf(job.job_id)).filter(({ state }) => state === 'completed');
    for (const { cached_from: from, trial } of completed) expect(from).toBe(`sweep-${first}/${trial}`);
  });

  it('tries the best of the last sweep of the same model, schema and space first, unless told not to', async () => {
    const job = await service.ended(
      await service.start('/models/train', requestOf({ ...SEARCH, trials: 6, seed: 8, warm_start: true })),
    );
    const { warm_start: warm, best } = await sweepOf(job.job_id);
    const before = await sweepOf(first);
    expect(warm.sweep_id).toMatch(/^sweep-train-/);
    expect(warm.configurations[0]).toEqual(before.best!.configuration);
    const trials = (await trialsOf(job.job_id)).reverse();
    expect(trials.map(({ source }) => source)).toEqual([
      'warm_start',
      'warm_start',
      ...Array<string>(4).fill('sampler'),
    ]);
    expect(best!.loss).toBeLessThanOrEqual(before.best!.loss);
  });
});

describe('trials that fail', () => {
  it('say why, and do not stop the others', async () => {
    const space = {
      algorithm: { type: 'categorical', choices: ['linear', 'gradient_boosting'] },
      'gradient_boosting.learning_rate': {
        type: 'float',
        low: 2,
        high: 3,
        when: { parameter: 'algorithm', in: ['gradient_boosting'] },
      },
    };
    const job = await service.ended(
      await service.start('/models/train', requestOf({ ...SEARCH, sampler: 'random', space })),
    );
    expect(job.status).toBe('completed');
    const { counts } = await sweepOf(job.job_id);
    expect(counts.failed).toBeGreaterThan(0);
    for (const { state, configuration, reason } of await trialsOf(job.job_id)) {
      expect(state === 'failed').toBe(configuration['algorithm'] === 'gradient_boosting');
      if (state === 'failed') expect(reason).toMatch(/^learning_rate: /);
    }
  });

  it('fail the job where there is no other, and say what to do', async () => {
    const space = { l2_regularization: { type: 'float', low: 1e10, high: 1e11 } };
    const job = await service.ended(await service.start('/models/train', requestOf({ ...SEARCH, space }, 'straight')));
    expect(job).toMatchObject({ status: 'failed', error: { code: 'sweep_failed' } });
    expect(job.error!.detail).toMatch(/None of the 12 trials gave a model.*l2_regularization.*search\.space/);
    expect(await sweepOf(job.job_id)).toMatchObject({ state: 'failed', best: null, counts: { failed: 12 } });
  });
});

describe('a sweep under way', () => {
  it('is paused, resumed, given another budget, and stopped at the best so far', async () => {
    const id = await service.start('/models/train', requestOf(SLOW));
    const at = `/sweeps/sweep-${id}`;
    await seen(id, 'an ended trial', ({ counts }) => counts.completed > 0);
    expect((await service.post<SweepBody>(`${at}/pause`)).body.state).toBe('paused');
    const still = await seen(id, 'the end of the trials under way', ({ counts }) => counts.running === 0);
    expect((await service.post<SweepBody>(`${at}/pause`)).body).toMatchObject({
      state: 'paused',
      counts: still.counts,
    });
    expect((await service.post<ProblemBody>(`${at}/budget`, { trials: 1 })).status).toBe(409);
    const { body } = await service.post<SweepBody>(`${at}/budget`, { trials: 300, timeout_seconds: 900 });
    expect(body).toMatchObject({ state: 'paused', trials: 300, timeout_seconds: 900, counts: still.counts });
    expect((await service.post<SweepBody>(`${at}/resume`)).body.state).toBe('running');
    await seen(id, 'another ended trial', ({ counts }) => counts.completed > still.counts.completed);
    expect((await service.post(`${at}/stop`)).status).toBe(200);
    const job = await service.ended(id);
    expect(job).toMatchObject({ status: 'completed' });
    const sweep = await sweepOf(id);
    expect(sweep).toMatchObject({ state: 'stopped', reason: 'A person stopped it at the best so far.' });
    expect(sweep.best).not.toBeNull();
    expect((await service.post(`${at}/pause`)).status).toBe(409);
    expect((await service.post(`${at}/budget`, { trials: 400 })).status).toBe(409);
  });

  it('ends with its time, and the job goes on with the best so far', async () => {
    const id = await service.start('/models/train', requestOf({ ...SLOW, seed: 9, timeout_seconds: 3600 }));
    await seen(id, 'an ended trial', ({ counts }) => counts.completed > 0);
    const { workflow } = await service.temporal();
    const sweep = workflow.getHandle(`sweep-${id}`);
    // What a signal cannot have changes nothing: there is nobody to be told.
    for (const wrong of [undefined, { trials: 0 }, { trials: 1.5 }, { timeout_seconds: 'soon' }])
      await sweep.signal('set_budget', wrong);
    await sweep.signal('set_budget', { trials: 150 });
    await seen(id, 'the budget of a signal', ({ trials }) => trials === 150);
    expect(await sweepOf(id)).toMatchObject({ state: 'running', timeout_seconds: 3600 });
    // Less than has gone by, however fast the machine is.
    await sweep.signal('set_budget', { timeout_seconds: 1 });
    const job = await service.ended(id);
    expect(job.status).toBe('completed');
    expect(await sweepOf(job.job_id)).toMatchObject({ state: 'stopped', reason: 'Its time was over.' });
  });

  it('is cancelled with its job', async () => {
    const id = await service.start('/models/train', requestOf({ ...SLOW, seed: 10 }));
    await seen(id, 'a trial', ({ counts }) => counts.running > 0);
    await service.post(`/jobs/${id}/cancel`);
    expect((await service.ended(id)).status).toBe('cancelled');
    await seen(id, 'the end of the sweep', ({ state, counts }) => state === 'cancelled' && counts.running === 0);
  });
});

describe('a request for a search', () => {
  it.each<[string, object, string, string?]>([
    ['an unknown field', { budget: 3 }, 'search.budget'],
    ['no trials', { trials: 0 }, 'search.trials'],
    ['a range upside down', { space: { max_depth: { type: 'int', low: 5, high: 2 } } }, 'search.space.max_depth.low'],
    [
      'a hyperparameter that there is not',
      { space: { algorithm: { type: 'categorical', choices: ['linear'] }, depth: { type: 'int', low: 1, high: 2 } } },
      'search.space.depth',
    ],
    [
      'no algorithm where the model has none',
      { space: { max_depth: { type: 'int', low: 1, high: 2 } } },
      'search.space.algorithm',
    ],
    [
      'a parameter that a kind has not',
      { space: { depth: { type: 'int', low: 1, high: 2 } } },
      'search.space.depth',
      'load',
    ],
  ])('is refused with its path: %s', async (_, search, path, model) => {
    const { status, body } = await service.post<ProblemBody>('/models/train', requestOf(search, model));
    if (status === 422) return expect(body.errors?.map((error) => error.path)).toContain(path);
    // What only the data can tell fails the job.
    const { job_id: id } = body as unknown as { job_id: string };
    const { error } = await service.ended(id);
    expect(error).toMatchObject({ code: 'request_invalid' });
    expect(error!.problems?.map((problem) => problem.path)).toContain(path);
  });

  it('finds no sweep that there is not, and lists those that there are', async () => {
    expect((await service.get('/sweeps/sweep-none')).status).toBe(404);
    expect((await service.get('/sweeps/sweep-none/trials')).status).toBe(404);
    expect((await service.post('/sweeps/sweep-none/stop')).status).toBe(404);
    expect((await service.get('/sweeps?state=asleep')).status).toBe(422);
    const page = await service.get<{ items: SweepBody[]; next_cursor: string | null }>(
      '/sweeps?model=customers&limit=2',
    );
    expect(page.body.items).toHaveLength(2);
    const next = await service.get<{ items: SweepBody[] }>(
      `/sweeps?model=customers&limit=2&cursor=${page.body.next_cursor}`,
    );
    expect(next.body.items.map(({ sweep_id: id }) => id)).not.toContain(page.body.items[1]!.sweep_id);
  });
});
