import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';
import { Traffic, type Answered, type TrafficOptions } from './support/traffic.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;
const SMALL = { n_estimators: 20, max_depth: 6 };
/** Enough of both cohorts within seconds, and margins that noise on a busy machine stays below. */
const QUICK = {
  steps: [20, 50, 100],
  step_seconds: 3,
  min_samples: 200,
  slow_ms: 25,
  guardrails: { slow_rate: { margin: 0.05 }, error_rate: { margin: 0.02 } },
};

interface Window {
  window: number;
  verdict: string;
  reason: string;
  reproduced: boolean;
  findings: { measure: string; finding: string }[];
  evidence: { share?: number; assignment?: { candidate: number; baseline: number; both: number } };
}
interface Deployment {
  state: string;
  reason: string | null;
  steps: { step: string }[];
  traffic: { version: string; candidate_version: string | null; phase: string | null; share: number };
  latest_evidence: Window | null;
}

const ENDED = ['promoted', 'rolled_back', 'aborted', 'failed'];

let service: Service;
let traffic: Traffic | undefined;
const PLANS = ['basic', 'plus', 'pro'];
const featuresOf = (entity: number) => ({ usage: (entity * 37) % 100, plan: PLANS[entity % 3] });
/** The law of the table, without its noise. */
const truthOf = (entity: number) => {
  const { usage, plan } = featuresOf(entity);
  return usage < 45 !== (plan === 'pro') ? 'stay' : 'leave';
};

const train = async (model: object = {}) =>
  String(
    (await service.run('/models/train', { model_type: 'customers', hyperparameters: SMALL, ...model }))['version'],
  );
const begin = async (body: object) => {
  const answer = await service.post<{ deployment_id: string; job_id: string }>('/models/customers/deploy', body);
  expect(answer.status, answer.text).toBe(202);
  return answer.body;
};
const deployment = async (id: string) => (await service.get<Deployment>(`/deployments/${id}`)).body;
const inState = (id: string, state: string) =>
  eventually(`${id} being ${state}`, async () => {
    const found = await deployment(id);
    if (ENDED.includes(found.state) && found.state !== state)
      throw new Error(`${id} is ${found.state}: ${found.reason}`);
    return found.state === state ? found : undefined;
  });
const windowsOf = async (id: string) =>
  (await service.get<{ items: Window[] }>(`/deployments/${id}/evidence?limit=500`)).body.items;
const servedVersion = async () =>
  (await service.get<{ serving: { loaded_version: string } }>('/models/customers')).body.serving.loaded_version;
function send(more: Partial<TrafficOptions> = {}): void {
  traffic = new Traffic(service.stack.api, 'customers', { entities: 4000, featuresOf, ...more });
}
async function noneFailed(): Promise<Answered[]> {
  const answers = await traffic!.stop();
  traffic = undefined;
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return answers;
}

let good: string;
let wrong: string;
beforeAll(async () => {
  service = await Service.start(MODELS, { PREDICTION_CACHE_TTL: '0' });
  // The same customers, with the answers the other way round.
  service.file(
    'flipped.csv',
    learnableTable(1500).replaceAll(/,(stay|leave),/g, (_, outcome) => `,${outcome === 'stay' ? 'leave' : 'stay'},`),
  );
  const { dataset_id: flipped } = await service.run('/data/ingest', { source: 'flipped.csv', data_type: 'customers' });
  service.file('customers.csv', learnableTable(1500));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  wrong = await train({ training_data: { source: flipped } });
  good = await train();
  await service.run('/models/customers/deploy', { version: good });
});
afterEach(async () => {
  await traffic?.stop();
  traffic = undefined;
  // A test that failed must not fail the next one.
  const [latest] = (
    await service.get<{ items: { state: string; deployment_id: string; job_id: string }[] }>('/deployments?limit=1')
  ).body.items;
  if (latest && ['running', 'paused', 'holding'].includes(latest.state)) {
    await service.post(`/deployments/${latest.deployment_id}/abort`);
    await service.ended(latest.job_id);
  }
});
afterAll(() => service?.stop());

describe('a canary', () => {
  it('takes a sound version up its ladder to all traffic, with evidence for each step', async () => {
    const version = await train({ hyperparameters: { ...SMALL, seed: 5 } });
    send();
    const { deployment_id: id, job_id: job } = await begin({ version, strategy: 'canary', canary: QUICK });
    const second = await service.post('/models/customers/deploy', { version });
    expect(second.status, 'one rollout a model at a time').toBe(409);
    expect((await service.ended(job)).result).toMatchObject({ state: 'promoted', version, previous_version: good });
    const answers = await noneFailed();

    const { state, steps, traffic: split } = await deployment(id);
    expect(state).toBe('promoted');
    expect(steps.map(({ step }) => step)).toEqual([
      'verify',
      'holdout',
      'canary 20 %',
      'canary 50 %',
      'switch',
      'confirm',
    ]);
    expect(split).toEqual({ version, candidate_version: null, phase: null, share: 0 });
    const windows = await windowsOf(id);
    expect(windows.every(({ reproduced }) => reproduced)).toBe(true);
    expect(windows.filter(({ window, verdict }) => window > 0 && verdict === 'PROMOTE')).toHaveLength(2);
    // Three windows a step at least.
    expect(windows.length).toBeGreaterThanOrEqual(6);

    const armed = answers.filter(({ arm }) => arm !== undefined);
    expect(new Set(armed.map(({ arm }) => arm))).toEqual(new Set(['candidate', 'baseline', 'rest']));
    for (const { arm, version: answered } of armed) expect(answered).toBe(arm === 'candidate' ? version : good);
    // Ramping only adds entities: none that saw the new version goes back to the old one.
    const last = new Map<string, string>();
    for (const { entity, arm } of armed) {
      if (last.get(entity) === 'candidate') expect(arm).toBe('candidate');
      if (last.get(entity) === 'baseline') expect(arm).toBe('baseline');
      last.set(entity, arm!);
    }
    await service.post('/models/customers/rollback', {});
  });

  it('takes back a version that cannot answer, and no caller notices', async () => {
    // Trained without a feature that all callers send.
    writeFileSync(join(service.inbox, 'config.yaml'), MODELS.replace('[usage, plan]', '[plan]'));
    const version = await train();
    writeFileSync(join(service.inbox, 'config.yaml'), MODELS);
    send();
    const { deployment_id: id, job_id: job } = await begin({
      version,
      strategy: 'canary',
      canary: QUICK,
      allow_unpromotable: true,
    });
    expect((await service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    const answers = await noneFailed();
    expect(new Set(answers.map((answer) => answer.version)), 'the present version stood in').toEqual(new Set([good]));
    const { reason, traffic: split, latest_evidence: latest } = await deployment(id);
    expect(latest).toMatchObject({ verdict: 'ROLLBACK', reason, reproduced: true });
    expect(latest!.findings).toContainEqual(expect.objectContaining({ measure: 'error_rate', finding: 'harmful' }));
    expect(split).toEqual({ version: good, candidate_version: null, phase: null, share: 0 });
  });

  it('takes back a version that answers wrongly, once the truth comes in', async () => {
    send({ feedbackOf: (entity) => ({ outcome: { label: truthOf(entity) } }) });
    const { job_id: job } = await begin({
      version: wrong,
      strategy: 'canary',
      holdout: 'off',
      canary: { ...QUICK, steps: [50, 100], min_samples: 100_000 },
    });
    const { result } = await service.ended(job);
    expect(result).toMatchObject({ state: 'rolled_back' });
    await noneFailed();
    const [latest] = (await service.get<{ items: Deployment[] }>('/deployments?limit=1')).body.items;
    expect(latest!.reason).toMatch(/loss:label/);
    expect(await servedVersion()).toBe(good);
  });

  it('takes back a version that is slow', async () => {
    const version = await train({ hyperparameters: { n_estimators: 2000, max_depth: 12 } });
    send();
    const { deployment_id: id, job_id: job } = await begin({
      version,
      strategy: 'canary',
      canary: { ...QUICK, slow_ms: 0.2, guardrails: { error_rate: { margin: 0.02 } } },
    });
    expect((await service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    await noneFailed();
    expect((await deployment(id)).reason).toMatch(/slow_rate/);
  });

  it('without any traffic never promotes, waits for a person, and ends when nobody comes', async () => {
    const version = await train({ hyperparameters: { ...SMALL, seed: 6 } });
    const canary = { ...QUICK, max_seconds: 3, ask_seconds: 3 };
    const { deployment_id: id, job_id: job } = await begin({ version, strategy: 'canary', canary });
    await inState(id, 'holding');
    expect((await service.ended(job)).result).toMatchObject({ state: 'aborted' });
    const { reason, traffic: split } = await deployment(id);
    expect(reason).toMatch(/Nobody decided within 3 s/);
    expect(split).toMatchObject({ version: good, candidate_version: null });
    // Before them stands the test on held-out rows.
    const windows = (await windowsOf(id)).filter(({ window }) => window > 0);
    expect(new Set(windows.map(({ verdict }) => verdict))).toEqual(new Set(['HOLD']));
  });

  it('is paused, changed, resumed and promoted by a person, and rolled back in one call', async () => {
    const version = await train({ hyperparameters: { ...SMALL, seed: 7 } });
    const canary = { ...QUICK, steps: [5, 100], min_samples: 1_000_000 };
    const { deployment_id: id, job_id: job } = await begin({ version, strategy: 'canary', canary });
    await eventually('the first share', async () => ((await deployment(id)).traffic.share === 5 ? true : undefined));
    const tell = async (action: string) =>
      expect((await service.post(`/deployments/${id}/${action}`)).status).toBe(202);
    await tell('pause');
    await inState(id, 'paused');
    const ladder = await service.call('PUT', `/deployments/${id}/ladder`, { steps: [10, 40, 100] });
    expect(ladder.status).toBe(202);
    await tell('resume');
    await inState(id, 'running');
    await tell('promote');
    expect((await service.ended(job)).result).toMatchObject({ state: 'promoted' });
    expect(await servedVersion()).toBe(version);
    expect((await service.post(`/deployments/${id}/pause`)).status, 'it is over').toBe(409);

    const between = new Date().toISOString();
    const key = { 'idempotency-key': service.key() };
    const back = await service.post('/models/customers/rollback', {}, key);
    expect(back.body).toMatchObject({ version: good, rolled_back_version: version, served: true });
    expect(
      (await service.post('/models/customers/rollback', {}, key)).body,
      'the same key, the same answer',
    ).toMatchObject({ deployment_id: back.body['deployment_id'] });
    expect(await servedVersion()).toBe(good);
    const asOf = await service.get<{ traffic: { version: string } }>(`/models/customers?as_of=${between}`);
    expect(asOf.body.traffic.version).toBe(version);
  });

  it('is ended by a rollback while it is under way', async () => {
    const version = await train({ hyperparameters: { ...SMALL, seed: 8 } });
    const canary = { ...QUICK, steps: [5, 100], min_samples: 1_000_000 };
    const { deployment_id: id, job_id: job } = await begin({ version, strategy: 'canary', canary });
    await eventually('the first share', async () => ((await deployment(id)).traffic.share === 5 ? true : undefined));
    const back = await service.post('/models/customers/rollback', {});
    expect(back.body).toMatchObject({ version: good, rolled_back_version: version, ended_deployment_id: id });
    expect(await deployment(id)).toMatchObject({ state: 'rolled_back', traffic: { version: good, share: 0 } });
    expect(await service.ended(job)).toMatchObject({ status: 'cancelled' });
    expect(await deployment(id)).toMatchObject({ state: 'rolled_back' });
  });
});

describe('a shadow', () => {
  const SHADOW = { pairs: 300, window_seconds: 1, slow_ms: 25, guardrails: QUICK.guardrails };

  it('scores the same requests, answers none of them, and asks a person when it found no harm', async () => {
    const version = await train({ hyperparameters: { ...SMALL, seed: 9 } });
    send({ feedbackOf: (entity) => ({ outcome: { label: truthOf(entity) } }) });
    const { deployment_id: id, job_id: job } = await begin({ version, strategy: 'shadow', shadow: SHADOW });
    const held = await inState(id, 'holding');
    expect(held.traffic).toEqual({ version: good, candidate_version: version, phase: 'shadow', share: 0 });
    expect(held.latest_evidence).toMatchObject({ verdict: 'PROMOTE', reproduced: true });
    await service.post(`/deployments/${id}/abort`);
    await service.ended(job);
    const answers = await noneFailed();
    expect(new Set(answers.map((answer) => answer.version))).toEqual(new Set([good]));
    expect(await deployment(id)).toMatchObject({ state: 'aborted' });
  });

  it('finds a version that answers wrongly', async () => {
    send({ feedbackOf: (entity) => ({ outcome: { label: truthOf(entity) } }) });
    const { deployment_id: id, job_id: job } = await begin({
      version: wrong,
      strategy: 'shadow',
      holdout: 'off',
      shadow: SHADOW,
    });
    expect((await service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    await noneFailed();
    expect((await deployment(id)).reason).toMatch(/loss:label/);
  });
});

describe('what cannot be tried', () => {
  it.each([
    [{ strategy: 'canary', canary: { steps: [10, 5] } }, 422],
    [{ strategy: 'canary', canary: { steps: [10, 60, 100] } }, 422],
    [{ strategy: 'canary', canary: { guardrails: { speed: {} } } }, 422],
    [{ strategy: 'canary', canary: { guardrails: { 'loss:lable': {} } } }, 422],
    [{ strategy: 'immediate', canary: {} }, 422],
    [{ strategy: 'shadow', shadow: { then: 'hope' } }, 422],
    [{ strategy: 'canary' }, 409],
  ])('%j is refused with %i', async (body, status) => {
    expect((await service.post('/models/customers/deploy', { version: good, ...body })).status).toBe(status);
  });
});
