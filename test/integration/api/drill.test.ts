import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SANDBOX_MODEL } from '../../../core/names.js';
import type { DrillTrial } from '../../../services/drills/judge-trial.js';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';
import { Traffic } from './support/traffic.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;

interface Drill {
  drill_id: string;
  state: string;
  reason: string | null;
  trials: DrillTrial[];
  result: Record<string, unknown> | null;
  job_id: string;
}

let service: Service;

beforeAll(async () => {
  // Two processes that answer: each of them must hear of every change of a route.
  service = await Service.start(MODELS, { API_WORKERS: '2' });
  service.file('customers.csv', learnableTable(1500));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  const trained = await service.run('/models/train', {
    model_type: 'customers',
    hyperparameters: { n_estimators: 10, max_depth: 6 },
  });
  await service.run('/models/customers/deploy', { version: trained['version'] });
});
afterAll(() => service?.stop());

const drill = async (id: string) => (await service.get<Drill>(`/drills/${id}`)).body;
async function begin(body?: object): Promise<{ drill_id: string; job_id: string }> {
  const answer = await service.post<{ drill_id: string; job_id: string }>('/drills', body);
  expect(answer.status, answer.text).toBe(202);
  return answer.body;
}

describe('what cannot be drilled', () => {
  it.each([
    [{ kind: 'fire' }, 'kind'],
    [{ faults: [] }, 'faults'],
    [{ faults: ['wrong', 'wrong'] }, 'faults'],
    [{ strategies: ['immediate'] }, 'strategies.0'],
    [{ slow_ms: 1 }, 'slow_ms'],
    [{ kind: 'aa_replay' }, 'model'],
    [{ kind: 'aa_replay', model: 'customers', replays: 1 }, 'replays'],
    [
      { kind: 'aa_replay', model: 'customers', canary: { guardrails: { 'loss:lable': {} } } },
      'canary.guardrails.loss:lable',
    ],
  ])('%j is refused with the path %s', async (body, path) => {
    const answer = await service.post<{ errors: { path: string }[] }>('/drills', body);
    expect(answer.status, answer.text).toBe(422);
    expect(answer.body.errors.map((error) => error.path)).toContain(path);
  });

  it('needs a model, a deployed version and enough of a log', async () => {
    expect((await service.post('/drills', { kind: 'aa_replay', model: 'nothing' })).status).toBe(404);
    const little = await service.post<{ type: string; detail: string }>('/drills', {
      kind: 'aa_replay',
      model: 'customers',
    });
    expect(little.status).toBe(422);
    expect(little.body.type).toBe('urn:problem:log_insufficient');
    expect(little.body.detail).toMatch(/a replay needs 1000 of 200/);
    expect((await service.get('/drills/drl-none')).status).toBe(404);
  });
});

describe('a rollout drill', () => {
  it('finds every bad version in shadow and canary, leaves the good one alone, and leaves nothing behind', async () => {
    const traffic = new Traffic(service.stack.api, 'customers', {
      entities: 500,
      featuresOf: (entity) => ({ usage: entity % 100, plan: 'plus' }),
      callers: 1,
    });
    const { drill_id: id, job_id: job } = await begin();
    expect(['pending', 'running']).toContain((await drill(id)).state);
    await eventually('its row', async () => ((await drill(id)).state === 'running' ? true : undefined));
    const second = await service.post<{ detail: string }>('/drills', { kind: 'rollout' });
    expect(second.status, 'one drill at a time').toBe(409);
    expect(second.body.detail).toContain(id);

    const ended = await service.ended(job, 240_000);
    const found = await drill(id);
    expect(ended.status, JSON.stringify([ended.error, found.trials], undefined, 1)).toBe('completed');
    const others = await traffic.stop();
    expect(
      others.filter(({ status }) => status !== 200),
      'other models are not disturbed',
    ).toEqual([]);

    expect(found).toMatchObject({ state: 'passed', reason: 'All 8 versions ended as they should.' });
    expect(found.trials.map(({ fault, strategy }) => `${fault} ${strategy}`)).toEqual(
      ['shadow', 'canary'].flatMap((strategy) =>
        ['wrong', 'slow', 'error', 'none'].map((fault) => `${fault} ${strategy}`),
      ),
    );
    for (const trial of found.trials) {
      expect(trial.failed_requests, JSON.stringify(trial)).toBe(0);
      if (trial.strategy === 'shadow') expect(trial.answered, 'a shadow answers nobody').toBe(0);
      else expect(trial.fault === 'error' ? trial.stood_in : trial.answered).toBeGreaterThan(0);
      if (trial.fault === 'none') continue;
      expect(trial.state).toBe('rolled_back');
      expect(trial.reason).toMatch({ wrong: /^loss:label/, slow: /^slow_rate/, error: /^error_rate/ }[trial.fault]);
      expect(trial.seconds_to_detection).toBeGreaterThan(0);
      expect(trial.seconds_to_safety! - trial.seconds_to_detection!, 'back in 2 s').toBeLessThan(2.5);
    }
    expect(found.trials.find(({ fault, strategy }) => fault === 'error' && strategy === 'canary')!.answered).toBe(0);
    expect(found.result).toMatchObject({ failed_requests: 0, most_seconds_to_safety: expect.any(Number) });

    const kept = await service.query(`SELECT 1 FROM predictions WHERE model = $1`, [SANDBOX_MODEL]);
    expect(kept).toEqual([]);
    expect((await service.get<{ serving: object }>(`/models/${SANDBOX_MODEL}`)).body.serving).toMatchObject({
      version: null,
    });
    const models = (await service.get<{ items: { model: string }[] }>('/models')).body.items;
    expect(models.map(({ model }) => model)).toEqual(['customers']);
    await eventually('its metrics', async () => {
      const text = await (await fetch(`${service.stack.api}/metrics`)).text();
      return /mlops_drill_passed\{[^}]*kind="rollout"[^}]*\} 1/.test(text) &&
        /mlops_drill_safety_seconds\{[^}]*fault="slow"[^}]*strategy="canary"[^}]*\} [\d.]+/.test(text)
        ? true
        : undefined;
    });
    expect((await service.get<{ items: Drill[] }>('/drills?limit=1')).body.items[0]!.drill_id).toBe(id);
  }, 300_000);

  it('fails, and says so, when a bad version is not found in time; it uses the versions of the drill before', async () => {
    const before = await service.query(`SELECT version FROM model_versions WHERE model = $1`, [SANDBOX_MODEL]);
    // Ten seconds of five requests a second are no evidence.
    const { drill_id: id, job_id: job } = await begin({
      faults: ['slow'],
      strategies: ['canary'],
      requests_per_second: 5,
      limit_seconds: 10,
    });
    const { status, error } = await service.ended(job, 120_000);
    expect(status).toBe('failed');
    expect(error).toMatchObject({
      code: 'drill_failed',
      detail: expect.stringMatching(/^1 of 2 versions did not end as they should: slow in canary was not taken back/),
    });
    const found = await drill(id);
    expect(found).toMatchObject({ state: 'failed', reason: error!.detail });
    expect(found.trials[0]).toMatchObject({ passed: false, detected_at: null, seconds_to_safety: null });
    const after = await service.query(`SELECT version FROM model_versions WHERE model = $1`, [SANDBOX_MODEL]);
    expect(after).toEqual(before);
  }, 180_000);

  it('goes on after kill -9 of the workers in the middle of its traffic', async () => {
    const { drill_id: id, job_id: job } = await begin({ faults: ['wrong'], strategies: ['canary'] });
    await eventually('its traffic', async () =>
      (await service.job(job)).stage === 'wrong in canary' ? true : undefined,
    );
    for (const part of ['pipeline-worker', 'training-worker'] as const) service.stack.kill9(part);
    const { status, error } = await service.ended(job, 150_000);
    expect(status, JSON.stringify(error)).toBe('completed');
    const found = await drill(id);
    expect(found.state).toBe('passed');
    expect(found.trials.map(({ fault, state }) => [fault, state])).toEqual([
      ['wrong', 'rolled_back'],
      ['none', 'promoted'],
    ]);
  }, 180_000);

  it('that is cancelled leaves nothing behind', async () => {
    const { drill_id: id, job_id: job } = await begin({
      faults: ['wrong'],
      strategies: ['shadow'],
      requests_per_second: 5,
    });
    await eventually('the first rollout', async () => {
      const stage = (await service.job(job)).stage;
      return stage === 'wrong in shadow' ? true : undefined;
    });
    await service.post(`/jobs/${job}/cancel`);
    expect((await service.ended(job)).status).toBe('cancelled');
    expect(await drill(id)).toMatchObject({ state: 'cancelled', reason: expect.stringContaining('cancelled') });
    await eventually('the end of its rollout', async () => {
      const open = await service.query(
        `SELECT 1 FROM deployments WHERE model = $1 AND finished_at IS NULL
         UNION ALL SELECT 1 FROM routes WHERE model = $1`,
        [SANDBOX_MODEL],
      );
      return open.length === 0 ? true : undefined;
    });
  }, 120_000);
});

describe('a replay of the log', () => {
  it('tells how often the rules would have rolled back without a reason', async () => {
    const traffic = new Traffic(service.stack.api, 'customers', {
      entities: 2000,
      featuresOf: (entity) => ({ usage: entity % 100, plan: 'plus' }),
    });
    await eventually('enough of a log', async () => {
      const [row] = await service.query<{ rows: number; entities: number }>(
        `SELECT count(*)::int AS rows, count(DISTINCT entity_id)::int AS entities FROM predictions WHERE model = 'customers'`,
      );
      return row!.rows > 4000 && row!.entities > 1000 ? true : undefined;
    });
    await traffic.stop();
    const { drill_id: id, job_id: job } = await begin({
      kind: 'aa_replay',
      model: 'customers',
      replays: 100,
      windows: 10,
    });
    const { status, result } = await service.ended(job);
    expect(status, JSON.stringify(result)).toBe('completed');
    const found = await drill(id);
    expect(found.state).toBe('passed');
    expect(found.result).toMatchObject({
      replays: 100,
      promised: 0.01,
      false_alarms: { rate: expect.any(Number), lower: expect.any(Number), upper: expect.any(Number) },
      log: { windows: 10 },
    });
    expect(found.reason).toMatch(/of 100 splits without a difference would have been rolled back/);
  }, 120_000);
});

describe('drills by the clock', () => {
  it('are scheduled, shown and removed', async () => {
    expect((await service.get('/drills/schedule')).status).toBe(404);
    const put = await service.call<{ drill: object; next_runs: string[] }>('PUT', '/drills/schedule', {
      cron: '0 4 * * 1',
      drill: { kind: 'rollout', faults: ['error'] },
    });
    expect(put.body).toMatchObject({ cron: '0 4 * * 1', paused: false, drill: { faults: ['error'] } });
    expect(put.body.next_runs).toHaveLength(5);
    const bad = await service.call('PUT', '/drills/schedule', { cron: '99 4 * * 1' });
    expect(bad.status).toBe(422);
    expect((await service.get<{ cron: string }>('/drills/schedule')).body.cron).toBe('0 4 * * 1');
    expect((await service.call('DELETE', '/drills/schedule')).status).toBe(204);
    expect((await service.get('/drills/schedule')).status).toBe(404);
  });
});
