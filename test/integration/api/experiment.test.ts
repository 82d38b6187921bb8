import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';
import { Traffic, type Answered, type TrafficOptions } from './support/traffic.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
shoppers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;

interface Experiment {
  state: string;
  layer: string;
  slice: { first_bucket: number; end_bucket: number };
  allocation: { opened: { window: number; chances: Record<string, number[]> }[] } | null;
  reason: string | null;
  arms: { arm: string; version: string; weight: number; retired: boolean }[];
  plan: Record<string, number | null>;
  latest_evidence: {
    window: number;
    decision: string;
    reproduced: boolean;
    arms: { arm: string; decision: string; estimate: number; lower: number; upper: number }[];
    evidence: { control: { assigned: number }; arms: { assigned: number }[]; crossed: number };
  } | null;
}

let service: Service;
let traffic: Traffic | undefined;
let present: string;
let other: string;
const noise = createPrng(99);

const QUICK = { min_seconds: 0, max_seconds: 600, window_seconds: 1, covariate_days: 0 };
const twoArms = (weights: [number, number] = [50, 50]) => [
  { arm: 'control', version: present, weight: weights[0] },
  { arm: 'new', version: other, weight: weights[1] },
];
const begin = async (body: object) => {
  const answer = await service.post<{ experiment_id: string; job_id: string }>('/experiments', {
    model: 'customers',
    metric: 'feedback:revenue',
    ...QUICK,
    ...body,
  });
  expect(answer.status, answer.text).toBe(202);
  return answer.body;
};
const experiment = async (id: string) => (await service.get<Experiment>(`/experiments/${id}`)).body;
const when = (id: string, what: string, is: (found: Experiment) => boolean) =>
  eventually(what, async () => {
    const found = await experiment(id);
    return is(found) ? found : undefined;
  });
/** Revenue of about 10, and more or less with the new version. */
const revenue =
  (gain: number) =>
  (_entity: number, { arm }: Answered) => ({
    metrics: { revenue: 10 + 2 * (noise.next() - 0.5) + (arm === 'new' ? gain : 0) },
  });
function send(more: Partial<TrafficOptions> = {}): void {
  traffic = new Traffic(service.stack.api, 'customers', {
    entities: 3000,
    featuresOf: (entity) => ({ usage: entity % 100, plan: 'plus' }),
    ...more,
  });
}
async function allAnswered(): Promise<Answered[]> {
  const answers = await traffic!.stop();
  traffic = undefined;
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return answers;
}

beforeAll(async () => {
  service = await Service.start(MODELS, { PREDICTION_CACHE_TTL: '0' });
  service.file('customers.csv', learnableTable(1500));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  const train = async (seed: number) =>
    String(
      (
        await service.run('/models/train', {
          model_type: 'customers',
          hyperparameters: { n_estimators: 20, max_depth: 6, seed },
        })
      )['version'],
    );
  present = await train(1);
  other = await train(2);
});
afterEach(async () => {
  await traffic?.stop();
  traffic = undefined;
  // A test that failed must not fail the next one.
  const { items } = (await service.get<{ items: { state: string; experiment_id: string }[] }>('/experiments')).body;
  for (const { state, experiment_id: id } of items)
    if (['running', 'pending'].includes(state)) await service.post(`/experiments/${id}/stop`);
});
afterAll(() => service?.stop());

describe('what cannot be compared', () => {
  it('needs a deployed version for those who do not take part', async () => {
    const body = { model: 'customers', arms: twoArms(), metric: 'feedback:revenue', minimum_effect: 1 };
    expect((await service.post('/experiments', body)).status).toBe(404);
    await service.run('/models/customers/deploy', { version: present });
  });

  it.each([
    [{ arms: [{ version: 'v1.0.0', weight: 1 }] }, 'arms'],
    [
      {
        arms: [
          { version: 'v1.0.0', weight: 1 },
          { version: 'v1.0.0', weight: 1 },
        ],
      },
      'arms.1.arm',
    ],
    [
      {
        arms: [
          { version: 'v1.0.0', weight: 1 },
          { version: 'v1.1.0', weight: 0 },
        ],
      },
      'arms.1.weight',
    ],
    [{ control: 'nobody' }, 'control'],
    [{ metric: 'revenue' }, 'metric'],
    [{ metric: 'loss:lable' }, 'metric'],
    [{ metric: 'outcome:label' }, 'metric'],
    [{ minimum_effect: undefined }, 'minimum_effect'],
    [{ traffic: 101 }, 'traffic'],
    [{ min_seconds: 1000, max_seconds: 10 }, 'min_seconds'],
    [{ layer: 'No layer' }, 'layer'],
    [{ allocation: { method: 'best' } }, 'allocation.method'],
    [{ allocation: { method: 'fixed', floor: 0.1 } }, 'allocation.floor'],
    [{ allocation: { method: 'thompson', floor: 0.5 } }, 'allocation.floor'],
    [{ allocation: { method: 'thompson', batches: 1 } }, 'allocation.batches'],
    [
      { allocation: { method: 'thompson', batches: 100, context: [{ feature: 'usage', edges: [1, 2] }] } },
      'allocation.batches',
    ],
    [
      { allocation: { method: 'thompson', context: [{ feature: 'plann', values: ['a'] }] } },
      'allocation.context.0.feature',
    ],
    [
      {
        allocation: {
          method: 'thompson',
          context: [
            { feature: 'usage', edges: [1, 2, 3, 4, 5, 6] },
            { feature: 'plan', values: ['a', 'b', 'c'] },
          ],
        },
      },
      'allocation.context',
    ],
  ])('%j is refused with the path %s', async (wrong, path) => {
    const body = { model: 'customers', arms: twoArms(), metric: 'feedback:revenue', minimum_effect: 1, ...wrong };
    for (const route of ['/experiments', '/experiments/plan']) {
      const answer = await service.post<{ errors: { path: string }[] }>(route, body);
      expect(answer.status).toBe(422);
      expect(answer.body.errors.map((error) => error.path)).toContain(path);
    }
  });

  it('an unknown version, model or experiment is not found', async () => {
    const arms = [...twoArms(), { version: 'v9.9.9', weight: 1 }];
    const body = { model: 'customers', metric: 'feedback:revenue', minimum_effect: 1 };
    expect((await service.post('/experiments', { ...body, arms })).status).toBe(404);
    expect((await service.post('/experiments', { ...body, arms: twoArms(), model: 'nothing' })).status).toBe(404);
    expect((await service.get('/experiments/exp-none')).status).toBe(404);
    expect((await service.post('/experiments/exp-none/stop')).status).toBe(404);
  });
});

describe('an experiment', () => {
  it('names the better arm a winner and deploys it when asked to, with every entity in one arm', async () => {
    send({ feedbackOf: revenue(4) });
    const { experiment_id: id, job_id: job } = await begin({
      arms: twoArms(),
      minimum_effect: 3,
      on_winner: 'promote',
    });
    expect(['pending', 'running']).toContain((await experiment(id)).state);
    expect((await service.ended(job)).result).toMatchObject({
      state: 'concluded',
      decision: 'winner',
      winner: 'new',
      winner_version: other,
      deployment: { state: 'promoted', version: other },
    });
    const answers = await allAnswered();
    const armed = answers.filter(({ arm }) => arm !== undefined);
    const arms = new Map<string, string>();
    for (const { entity, arm, version } of armed) {
      expect(version).toBe(arm === 'new' ? other : present);
      expect(arms.get(entity) ?? arm, 'the same entity always sees the same arm').toBe(arm);
      arms.set(entity, arm!);
    }
    const { latest_evidence: latest, reason } = await experiment(id);
    expect(latest).toMatchObject({ decision: 'winner', reproduced: true, evidence: { crossed: 0 } });
    expect(latest!.arms[0]!.lower).toBeGreaterThan(0);
    expect(reason).toMatch(/new is better than control/);
    await service.post('/models/customers/rollback', {});
  });

  it('gives later entities to the arm that looks better, keeps each where it is, and logs each chance', async () => {
    send({ feedbackOf: revenue(6), entities: 1500 });
    const { experiment_id: id } = await begin({
      arms: twoArms(),
      minimum_effect: 1,
      min_seconds: 3600,
      max_seconds: 7200,
      allocation: {
        method: 'thompson',
        batches: 10,
        refresh_seconds: 2,
        context: [{ feature: 'usage', edges: [50] }],
      },
    });
    // Batches are opened by the clock, and the chances of one are even until enough has come: how soon that is, the machine decides.
    const betterIn = ({ allocation }: Experiment) =>
      allocation?.opened.findIndex(({ chances }) => chances['usage=<50']![1]! > 0.89) ?? -1;
    const { allocation } = await when(
      id,
      'a batch in which the better arm has all but the floor',
      (found) => betterIn(found) > 0,
    );
    const better = betterIn({ allocation } as Experiment);
    expect(allocation!.opened[0]!.window).toBe(0);
    expect(Object.keys(allocation!.opened[0]!.chances)).toEqual(['usage=<50', 'usage=>=50', 'usage=other']);
    expect(allocation!.opened[better]!.chances['usage=<50']![1]).toBeCloseTo(0.9, 2);
    const found = await when(id, 'a verdict with later entities', ({ latest_evidence: latest }) =>
      Boolean(latest && latest.window > allocation!.opened[better]!.window && latest.arms[0]!.lower > 0),
    );
    expect(found.latest_evidence).toMatchObject({ reproduced: true, evidence: { crossed: 0 } });
    await eventually('an entity of that batch', async () => {
      const sql = `SELECT 1 FROM predictions WHERE trial_id = $1 AND stratum LIKE $2 LIMIT 1`;
      return (await service.query(sql, [id, `${better}: %`]))[0];
    });
    const answers = await allAnswered();
    const arms = new Map<string, string>();
    for (const { entity, arm } of answers.filter((answer) => answer.arm !== undefined)) {
      expect(arms.get(entity) ?? arm, 'the same entity always sees the same arm').toBe(arm);
      arms.set(entity, arm!);
    }
    // The same by the other doors, for an entity that took part.
    const [entity, arm] = [...arms].find(([, name]) => name === 'new')!;
    const features = { usage: Number(entity.slice(1)) % 100, plan: 'plus' };
    const one = await service.post<Answered & { propensity: number; model_version: string }>('/predict/customers', {
      entity_id: entity,
      features,
    });
    expect(one.body).toMatchObject({ arm, experiment_id: id, model_version: other });
    const batch = await service.post<{ results: unknown[] }>('/predict/customers/batch', {
      instances: [{ entity_id: entity, features }, { features }],
    });
    expect(batch.body.results[0]).toMatchObject({ arm, propensity: one.body.propensity, model_version: other });
    expect(batch.body.results[1]).not.toHaveProperty('arm');
    const tensor = (name: string, datatype: string, value: unknown) => ({ name, datatype, shape: [1], data: [value] });
    const inferred = await service.post<{ model_version: string }>('/v2/models/customers/infer', {
      inputs: [
        tensor('usage', 'FP64', features.usage),
        tensor('plan', 'BYTES', 'plus'),
        tensor('entity_id', 'BYTES', entity),
      ],
    });
    expect(inferred.body.model_version).toBe(other);
    const { allocation: last } = await experiment(id);
    const logged = await service.query<{ stratum: string; arm: string; propensity: number; chances: number }>(
      `SELECT DISTINCT stratum, arm, propensity FROM predictions WHERE trial_id = $1 ORDER BY 1, 2`,
      [id],
    );
    for (const { stratum, arm: name, propensity } of logged) {
      const [at, key] = stratum.split(': ') as [string, string];
      expect(propensity).toBe(last!.opened[Number(at)]!.chances[key]![name === 'new' ? 1 : 0]);
    }
    expect(new Set(logged.map(({ stratum }) => stratum.split(':')[0]))).toContain(String(better));
    expect(
      await service.query(`SELECT 1 FROM predictions WHERE trial_id IS NULL AND propensity IS NOT NULL LIMIT 1`),
    ).toEqual([]);
  });

  it('takes back an arm that does harm, at once', async () => {
    send({ feedbackOf: revenue(-6) });
    const { experiment_id: id, job_id: job } = await begin({
      arms: twoArms(),
      minimum_effect: 2,
      min_seconds: 3600,
      max_seconds: 7200,
    });
    expect((await service.ended(job)).result).toMatchObject({ state: 'concluded', decision: 'harmful', winner: null });
    await allAnswered();
    expect((await experiment(id)).arms).toMatchObject([
      { arm: 'control', retired: false },
      { arm: 'new', retired: true },
    ]);
    expect((await service.get<{ serving: object }>('/models/customers')).body.serving).toMatchObject({
      loaded_version: present,
    });
  });

  it('plans by the traffic of the last days, and keeps to weights and to its share of the traffic', async () => {
    const body = {
      model: 'customers',
      arms: twoArms([80, 20]),
      metric: 'feedback:revenue',
      minimum_effect: 0.5,
      traffic: 50,
    };
    const plan = (await service.post<Record<string, number>>('/experiments/plan', body)).body;
    expect(plan['baseline']).toBeGreaterThan(5);
    for (const name of ['entities_needed', 'days_needed', 'smallest_detectable', 'entities_per_day'])
      expect(plan[name], name).toBeGreaterThan(0);

    const { experiment_id: id } = await begin({ ...body, min_seconds: 3600, max_seconds: 7200 });
    await when(id, 'the first window', ({ latest_evidence: latest }) => latest !== null);
    send();
    await when(id, 'enough entities', ({ latest_evidence: latest }) => (latest?.evidence.control.assigned ?? 0) > 900);
    const stopped = await service.post<Experiment>(`/experiments/${id}/stop`);
    expect(stopped.body).toMatchObject({ state: 'stopped', reason: expect.stringContaining('by a person') });
    const answers = await allAnswered();
    const entities = new Map(answers.map(({ entity, arm }) => [entity, arm]));
    for (const { entity, arm } of answers) if (arm !== undefined) entities.set(entity, arm);
    const of = (arm: string | undefined) => [...entities.values()].filter((value) => value === arm).length;
    const share = of('new') / (of('new') + of('control'));
    // Five standard errors around the weights.
    expect(Math.abs(share - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / (of('new') + of('control'))));
    expect(Math.abs(of(undefined) / entities.size - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / entities.size));
    expect((await service.post<Experiment>(`/experiments/${id}/stop`)).body.state, 'stopping twice is once').toBe(
      'stopped',
    );
  });

  it('shares the entities with others without overlap, and leaves none for a fourth', async () => {
    const arms = twoArms();
    const ids = [];
    for (const percent of [40, 60]) {
      const { experiment_id: id } = await begin({ arms, minimum_effect: 1, traffic: percent });
      await when(id, 'its start', ({ state }) => state === 'running');
      ids.push(id);
    }
    const body = { model: 'customers', arms, metric: 'feedback:revenue', minimum_effect: 1, traffic: 1 };
    expect((await service.post('/experiments', body)).status).toBe(409);
    const canary = { version: other, strategy: 'canary' };
    expect((await service.post('/models/customers/deploy', canary)).status, 'a canary would disturb them').toBe(409);
    const seen = await eventually('both experiments', async () => {
      const found = new Set<unknown>();
      for (let entity = 0; entity < 60; entity++) {
        const call = { entity_id: `x${entity}`, features: { usage: 1, plan: 'pro' } };
        found.add((await service.post('/predict/customers', call)).body['experiment_id']);
      }
      return found.size === 2 ? found : undefined;
    });
    expect(seen).toEqual(new Set(ids));
    const anonymous = await service.post('/predict/customers', { features: { usage: 1, plan: 'pro' } });
    expect(anonymous.body, 'without an entity nobody takes part').not.toHaveProperty('experiment_id');
    const pinned = { entity_id: 'x1', features: { usage: 1, plan: 'pro' }, model_version: present };
    expect((await service.post('/predict/customers', pinned)).body).not.toHaveProperty('experiment_id');
    const batch = await service.post<{ results: { experiment_id: string; arm: string }[] }>(
      '/predict/customers/batch',
      {
        instances: [{ entity_id: 'x1', features: { usage: 1, plan: 'pro' } }],
      },
    );
    const single = await service.post('/predict/customers', { entity_id: 'x1', features: { usage: 1, plan: 'pro' } });
    expect(batch.body.results[0]).toMatchObject({
      experiment_id: single.body['experiment_id'],
      arm: single.body['arm'],
    });
    for (const id of ids) await service.post(`/experiments/${id}/stop`);
  });

  it('of two models in one layer shares no entity, and in another layer is independent', async () => {
    const trained = await service.run('/models/train', {
      model_type: 'shoppers',
      hyperparameters: { n_estimators: 5, max_depth: 4 },
    });
    const version = String(trained['version']);
    await service.run('/models/shoppers/deploy', { version, allow_unpromotable: true });
    const ofShoppers = { model: 'shoppers', metric: 'feedback:revenue', minimum_effect: 1, ...QUICK };
    const same = ['a', 'b'].map((arm) => ({ arm, version, weight: 1 }));
    const one = await begin({ arms: twoArms(), minimum_effect: 1, traffic: 60, layer: 'shop' });
    const started = await when(one.experiment_id, 'its start', ({ state }) => state === 'running');
    expect(started).toMatchObject({ layer: 'shop', slice: { first_bucket: 0, end_bucket: 6000 }, allocation: null });

    const full = await service.post('/experiments', { ...ofShoppers, arms: same, layer: 'shop', traffic: 41 });
    expect(full.status, 'the layer has 40 % left').toBe(409);
    const elsewhere = {
      model: 'customers',
      metric: 'feedback:revenue',
      minimum_effect: 1,
      arms: twoArms(),
      traffic: 1,
    };
    const twice = await service.post<{ detail: string }>('/experiments', elsewhere);
    expect(twice.status, 'one model in two layers').toBe(409);
    expect(twice.body.detail).toContain('layer shop');

    const other = await begin({ ...ofShoppers, arms: same, layer: 'shop', traffic: 40 });
    await when(other.experiment_id, 'its start', ({ state }) => state === 'running');
    const takesPart = async (model: string, entity: string) =>
      'arm' in
      (await service.post(`/predict/${model}`, { entity_id: entity, features: { usage: 1, plan: 'pro' } })).body;
    await eventually('both experiments', async () => {
      for (let at = 0; at < 40; at++) if (await takesPart('shoppers', `y${at}`)) return true;
      return undefined;
    });
    for (let at = 0; at < 60; at++)
      expect(Number(await takesPart('customers', `y${at}`)) + Number(await takesPart('shoppers', `y${at}`))).toBe(1);
    await service.post(`/experiments/${other.experiment_id}/stop`);

    const own = await begin({ ...ofShoppers, arms: same, traffic: 50 });
    await when(own.experiment_id, 'its start', ({ state }) => state === 'running');
    const both = await eventually('entities in both layers and in one only', async () => {
      const kinds = new Set<string>();
      for (let at = 0; at < 60; at++)
        kinds.add(`${await takesPart('customers', `z${at}`)} ${await takesPart('shoppers', `z${at}`)}`);
      return kinds.size === 4 ? kinds : undefined;
    });
    expect(both.size).toBe(4);
    for (const { experiment_id: id } of [one, own]) await service.post(`/experiments/${id}/stop`);
  });

  it('keeps an entity in its arm where its version cannot be loaded: the present one answers, and the arm is blamed', async () => {
    const { experiment_id: id } = await begin({
      arms: twoArms(),
      minimum_effect: 1,
      min_seconds: 3600,
      max_seconds: 7200,
    });
    const call = (entity: string) =>
      service
        .post<{ arm?: string; model_version: string; prediction_id: string }>('/predict/customers', {
          entity_id: entity,
          features: { usage: 1, plan: 'pro' },
        })
        .then(({ body }) => body);
    const entity = await eventually('an entity of the new arm', async () => {
      for (let at = 0; at < 20; at++) if ((await call(`w${at}`)).arm === 'new') return `w${at}`;
      return undefined;
    });
    expect((await call(entity)).model_version).toBe(other);
    const [row] = await service.query<{ digest: string }>(
      `SELECT digest FROM model_versions WHERE model = 'customers' AND version = $1`,
      [other],
    );
    const file = join(service.stack.stateDir, 'models', 'customers', row!.digest, 'model.json');
    const content = readFileSync(file);
    writeFileSync(file, `${content.toString('utf8')} `);
    try {
      service.stack.kill9('api');
      const answered = await eventually('the API', () =>
        call(entity).then(
          (answer) => answer,
          () => undefined,
        ),
      );
      expect(answered).toMatchObject({ arm: 'new', model_version: present, experiment_id: id });
      await eventually('its line in the log', async () => {
        const [logged] = await service.query<{ error: string }>(`SELECT error FROM predictions WHERE id = $1`, [
          answered.prediction_id,
        ]);
        if (!logged) return undefined;
        expect(logged.error).toBe('version_not_loaded');
        return true;
      });
    } finally {
      writeFileSync(file, content);
    }
    await eventually('the version again', async () =>
      (await call(entity)).model_version === other ? true : undefined,
    );
    await service.post(`/experiments/${id}/stop`);
  });
});
