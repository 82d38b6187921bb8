import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Service } from './support/service.js';
import { createPrng } from '../../../ml/random/prng.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
searched:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
  search: {trials: 2, parallelism: 2, seed: 3, warm_start: false}
load:
  kind: resource_usage
  source: load
  forecast: {time: at, series: null, measures: {cpu: {}}, horizon: 6, seasons: [12], origins: 8}
machines:
  kind: anomaly_detection
  source: machines
  anomaly: {label: fault}
taken:
  kind: recommendation
  source: taken
undecided:
  kind: classification
  source: many
  target: outcome
  exclude: [customer, coin, spend, signed_up]
`;
const SEARCH = { trials: 8, parallelism: 2, seed: 7, warm_start: false };

interface VersionBody {
  parameters: { algorithm: string };
  details: {
    search?: {
      sweep_id: string;
      chosen: string;
      reason: string;
      fresh_rows: number;
      entrants: { name: string; search_loss?: number; fresh_loss: number; latency_us?: number }[];
      optimism: number;
    };
  };
}

let service: Service;
beforeAll(async () => {
  service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'true' });
  service.file('customers.csv', learnableTable(400));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
});
afterAll(() => service?.stop());

const train = async (body: object) => service.ended(await service.start('/models/train', body), 240_000);
const versionOf = async (model: string, version: unknown) =>
  (await service.get<VersionBody>(`/models/${model}/versions/${String(version)}`)).body;

/** A season of twelve steps, rows with some known faults, and users of two tastes. */
function writeKinds(): void {
  const prng = createPrng(4);
  const day = (at: number) => new Date(Date.UTC(2026, 0, 1, at)).toISOString();
  const loads = Array.from(
    { length: 1000 },
    (_, at) => 0.5 + 0.3 * Math.sin((2 * Math.PI * at) / 12) + 0.03 * prng.nextGaussian(),
  );
  service.file('load.csv', ['at,cpu', ...loads.map((cpu, at) => `${day(at)},${cpu.toFixed(4)}`)].join('\n'));
  const rows = Array.from({ length: 1000 }, (_, at) => {
    const shift = at % 20 === 0 ? 4 : 0;
    return `${(prng.nextGaussian() + shift).toFixed(3)},${prng.nextGaussian().toFixed(3)},${shift ? 'leak' : ''}`;
  });
  service.file('machines.csv', ['heat,noise,fault', ...rows].join('\n'));
  const events = Array.from({ length: 125 }, (_, user) =>
    Array.from({ length: 8 }, (__, at) => `u${user},i${2 * prng.nextInt(12) + (user % 2)},${day(user + 100 * at)}`),
  ).flat();
  service.file('taken.csv', ['user_id,item_id,occurred_at', ...events].join('\n'));
}

describe('what a search chooses', () => {
  it('is the best on rows that no trial has seen, with the answer that needs no model beside it, and goes out at once where nothing is served', async () => {
    const job = await train({ model_type: 'customers', search: SEARCH, auto_deploy: true });
    expect(job).toMatchObject({ status: 'completed' });
    const version = await versionOf('customers', job.result!['version']);
    const search = version.details.search!;
    expect(search.sweep_id).toBe(`sweep-${job.job_id}`);
    expect(search.fresh_rows).toBeGreaterThan(50);
    expect(search.entrants.map(({ name }) => name)).toEqual(expect.arrayContaining(['defaults', 'no model']));
    expect(search.entrants[0]!.name).toBe(search.chosen);
    const losses = search.entrants.map(({ fresh_loss }) => fresh_loss);
    expect(losses).toEqual([...losses].sort((a, b) => a - b));
    expect(losses[0]).toBeLessThan(0.8);
    const report = await service.get(`/models/customers/versions/${String(job.result!['version'])}/report`);
    expect(report.text).toContain('What the search chose');
    expect(job.result!['deployment']).toMatchObject({ state: 'promoted' });
  });

  it('has a front of several objectives, keeps to its constraints, and answers with the best together within them', async () => {
    const search = {
      ...SEARCH,
      trials: 10,
      objectives: [{ metric: 'loss' }, { metric: 'model_bytes' }],
      constraints: [{ metric: 'latency_us', max: 1 }],
      ensemble: { models: 4 },
    };
    const job = await train({ model_type: 'customers', search });
    expect(job).toMatchObject({ status: 'completed' });
    const { body: sweep } = await service.get<{
      best: { trial: number };
      front: { trial: number; values: { loss: number; model_bytes: number } }[];
    }>(`/sweeps/sweep-${job.job_id}`);
    const { body: trials } = await service.get<{
      items: { state: string; violation: number; metrics: Record<string, number>; losses: number[] }[];
    }>(`/sweeps/sweep-${job.job_id}/trials?limit=500`);
    expect(new Set(trials.items.map(({ state }) => state))).toEqual(new Set(['completed']));
    for (const { violation, metrics, losses } of trials.items) {
      expect(losses).toEqual([metrics['loss'], metrics['model_bytes']]);
      expect(violation > 0).toBe(metrics['latency_us']! > 1);
    }
    expect(trials.items.some(({ violation }) => violation > 0)).toBe(true);
    expect(sweep.front[0]!.trial).toBe(sweep.best.trial);
    sweep.front.slice(1).forEach(({ values }, at) => {
      expect(values.loss).toBeGreaterThan(sweep.front[at]!.values.loss);
      expect(values.model_bytes).toBeLessThan(sweep.front[at]!.values.model_bytes);
    });
    expect(job.result!['search']).toEqual({
      sweep_id: `sweep-${job.job_id}`,
      trial: sweep.best.trial,
      front: sweep.front,
    });
    const stream = await (await fetch(`${service.stack.api}/jobs/${job.job_id}/events`)).text();
    const told = [...stream.matchAll(/event: trial\ndata: (.*)/g)].map(
      ([, data]) => JSON.parse(data!) as { trial: number; curve: object[] },
    );
    expect(new Set(told.map(({ trial }) => trial)).size).toBe(10);
    expect(told.every(({ curve }) => curve.length === 5)).toBe(true);
    const { body: runs } = await service.get<{ items: object[] }>(`/runs?parent_id=${job.job_id}&kind=trial&limit=50`);
    expect(runs.items).toHaveLength(10);
    const { details } = await versionOf('customers', job.result!['version']);
    const taken = details.search!.entrants.find(({ name }) => name === details.search!.chosen)!;
    expect(taken.latency_us).toBeLessThanOrEqual(1);
  });

  it('is tried as a canary where another version is served', async () => {
    const job = await train({ model_type: 'customers', search: { ...SEARCH, trials: 3, seed: 8 }, auto_deploy: true });
    expect(job).toMatchObject({ status: 'completed' });
    expect(job.result!['deployment']).toEqual({ job_id: `deploy-${job.job_id}`, strategy: 'canary' });
    const rollout = await eventually('the rollout', async () => {
      const { body } = await service.get<{ items: { strategy: string; version: string }[] }>('/deployments?limit=10');
      return body.items.find(({ version }) => version === job.result!['version']);
    });
    expect(rollout.strategy).toBe('canary');
    await service.post(`/jobs/deploy-${job.job_id}/cancel`, {});
  });

  it('is a learner, a detector or a set of forecasters where nobody asked, for the kinds that learn from no target', async () => {
    writeKinds();
    const names = ['load', 'machines', 'taken'];
    await Promise.all(names.map((name) => service.run('/data/ingest', { source: `${name}.csv`, data_type: name })));
    const jobs = await Promise.all(names.map((name) => train({ model_type: name })));
    for (const job of jobs) {
      expect(job).toMatchObject({ status: 'completed' });
      const { body } = await service.get<{ best: { loss: number }; counts: { failed: number; completed: number } }>(
        `/sweeps/sweep-${job.job_id}`,
      );
      expect(body.counts.failed).toBe(0);
      expect(body.counts.completed).toBeGreaterThan(3);
      expect(body.best.loss, 'better than no model').toBeLessThan(1);
    }
    const first = await service.get<{ items: { trial: number; configuration: object }[] }>(
      `/sweeps/sweep-${jobs[1]!.job_id}/trials`,
    );
    expect(first.body.items.at(-1)!.configuration).toEqual({ n_estimators: 100, max_samples: '64x256x1024' });
    // Half of the fifty known faults had a say in the choice.
    const { body } = await service.get<{ metrics: Record<string, Record<string, { rows: number }>> }>(
      `/models/machines/versions/${String(jobs[1]!.result!['version'])}`,
    );
    expect(body.metrics['is_anomaly']!['detection_rate']!.rows).toBe(25);
  });

  it('follows the search of the model’s entry, unless the request says otherwise', async () => {
    const plain = await train({ model_type: 'searched' });
    const searched = await versionOf('searched', plain.result!['version']);
    expect(searched.details.search!.sweep_id).toBe(`sweep-${plain.job_id}`);
    const without = await train({ model_type: 'searched', search: false });
    expect((await versionOf('searched', without.result!['version'])).details.search).toBeUndefined();
  });

  it('is made without being asked for where an entry says nothing but what to predict, and rows are enough', async () => {
    service.file('many.csv', learnableTable(1200));
    await service.run('/data/ingest', { source: 'many.csv', data_type: 'many' });
    const { body: accepted } = await service.post<{ job_id: string; warnings?: { path: string; message: string }[] }>(
      '/models/train',
      { model_type: 'undecided' },
    );
    expect(accepted.warnings).toMatchObject([
      { path: 'search', message: expect.stringContaining('20 configurations') },
    ]);
    // Twenty would tell no more than the first.
    const sweep = `/sweeps/sweep-${accepted.job_id}`;
    await eventually(
      'a trial',
      async () => {
        const { body } = await service.get<{ counts?: { completed: number } }>(sweep);
        return (body.counts?.completed ?? 0) > 0 ? true : undefined;
      },
      240_000,
    );
    await (await service.temporal()).workflow.getHandle(`sweep-${accepted.job_id}`).signal('stop');
    const { result } = await service.ended(accepted.job_id, 240_000);
    const { details } = await versionOf('undecided', result!['version']);
    expect(details.search!.entrants.map(({ name }) => name)).toEqual(expect.arrayContaining(['defaults', 'no model']));
    expect(details.search!.sweep_id).toBe(`sweep-${accepted.job_id}`);
    expect((await service.get(sweep)).body).toMatchObject({ state: 'stopped' });
  });

  it('falls back on the defaults where nobody asked for it and it has found nothing', async () => {
    const job = await service.start('/models/train', { model_type: 'undecided', validation_split: 0.25 });
    const sweep = `/sweeps/sweep-${job}`;
    await eventually('the sweep', async () => ((await service.get(sweep)).status === 200 ? true : undefined));
    await service.post(`${sweep}/stop`, {});
    const { status, result } = await service.ended(job, 240_000);
    expect(status).toBe('completed');
    const { details } = await versionOf('undecided', result!['version']);
    const { body } = await service.get<{ counts: { completed: number } }>(sweep);
    expect(details.search === undefined).toBe(body.counts.completed === 0);
  });
});
