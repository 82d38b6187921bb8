import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { learnableTable } from './support/tables.js';
import { CustomerRollouts, QUICK, SMALL, truths, type Deployment } from './support/customer-rollouts.js';

/** The same customers, of whom so many did the contrary of what the law says. */
const noisier = (share: number) => learnableTable(1500, 7, share);

let rollouts: CustomerRollouts;
let good: string;
let wrong: string;
beforeAll(async () => {
  rollouts = await CustomerRollouts.start();
  ({ good } = rollouts);
  wrong = await rollouts.trainWrong();
});
afterEach(() => rollouts.cleanUp());
afterAll(() => rollouts?.stop());

describe('a canary', () => {
  it('takes a sound version up its ladder to all traffic, with evidence for each step', async () => {
    const version = await rollouts.train({ hyperparameters: { ...SMALL, seed: 5 } });
    rollouts.send();
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary: QUICK });
    const second = await rollouts.service.post('/models/customers/deploy', { version });
    expect(second.status, 'one rollout a model at a time').toBe(409);
    expect((await rollouts.service.ended(job)).result).toMatchObject({
      state: 'promoted',
      version,
      previous_version: good,
    });
    const answers = await rollouts.noneFailed();

    const { state, steps, traffic: split } = await rollouts.deployment(id);
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
    const windows = await rollouts.windowsOf(id);
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
  });

  it('takes back a version that cannot answer, and no caller notices', async () => {
    const version = await rollouts.trainWithout('usage');
    rollouts.send();
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version,
      strategy: 'canary',
      canary: QUICK,
      allow_unpromotable: true,
    });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    const answers = await rollouts.noneFailed();
    expect(new Set(answers.map((answer) => answer.version)), 'the present version stood in').toEqual(new Set([good]));
    const { reason, traffic: split, latest_evidence: latest } = await rollouts.deployment(id);
    expect(latest).toMatchObject({ verdict: 'ROLLBACK', reason, reproduced: true });
    expect(latest!.findings).toContainEqual(expect.objectContaining({ measure: 'error_rate', finding: 'harmful' }));
    expect(split).toEqual({ version: good, candidate_version: null, phase: null, share: 0 });
  });

  it('takes back a version that answers wrongly, once the truth comes in', async () => {
    rollouts.send({ feedbackOf: truths });
    const { job_id: job } = await rollouts.begin({
      version: wrong,
      strategy: 'canary',
      holdout: 'off',
      canary: { ...QUICK, steps: [50, 100], min_samples: 100_000 },
    });
    const { result } = await rollouts.service.ended(job);
    expect(result).toMatchObject({ state: 'rolled_back' });
    await rollouts.noneFailed();
    const [latest] = (await rollouts.service.get<{ items: Deployment[] }>('/deployments?limit=1')).body.items;
    expect(latest!.reason).toMatch(/loss:label/);
    expect(await rollouts.servedVersion()).toBe(good);
  });

  it('takes back a version that is as right as the present one, but less sure than it should be', async () => {
    const version = await rollouts.trainOn(noisier(0.2));
    rollouts.send({ feedbackOf: truths });
    const canary = { ...QUICK, steps: [50, 100], min_samples: 100_000 };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    await rollouts.noneFailed();
    expect((await rollouts.deployment(id)).reason).toMatch(/calibration:label moved away/);
  });

  it('takes a better version to all traffic, by what turned out to be true', async () => {
    const version = await rollouts.trainOn(noisier(0));
    rollouts.send({ feedbackOf: truths });
    const guardrails = { ...QUICK.guardrails, 'loss:label': { margin: 0.05 }, 'calibration:label': {} };
    const canary = { ...QUICK, steps: [50, 100], guardrails };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    await rollouts.noneFailed();
    expect(await rollouts.servedVersion()).toBe(version);
    const { findings } = (await rollouts.deployment(id)).latest_evidence!;
    expect(findings.map(({ measure, finding }) => [measure, finding])).toEqual(
      ['error_rate', 'slow_rate', 'loss:label', 'calibration:label'].map((measure) => [measure, 'safe']),
    );
  });

  it('takes back a version that is slow', async () => {
    const version = await rollouts.train({ hyperparameters: { n_estimators: 2000, max_depth: 12 } });
    rollouts.send();
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version,
      strategy: 'canary',
      canary: { ...QUICK, slow_ms: 0.2, guardrails: { error_rate: { margin: 0.02 } } },
    });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    await rollouts.noneFailed();
    expect((await rollouts.deployment(id)).reason).toMatch(/slow_rate/);
  });

  it('without any traffic never promotes, waits for a person, and ends when nobody comes', async () => {
    const version = await rollouts.train({ hyperparameters: { ...SMALL, seed: 6 } });
    const canary = { ...QUICK, max_seconds: 3, ask_seconds: 3 };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary });
    await rollouts.inState(id, 'holding');
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'aborted' });
    const { reason, traffic: split } = await rollouts.deployment(id);
    expect(reason).toMatch(/Nobody decided within 3 s/);
    expect(split).toMatchObject({ version: good, candidate_version: null });
    // Before them stands the test on held-out rows.
    const windows = (await rollouts.windowsOf(id)).filter(({ window }) => window > 0);
    expect(new Set(windows.map(({ verdict }) => verdict))).toEqual(new Set(['HOLD']));
  });

  it('is paused, changed, resumed and promoted by a person, and rolled back in one call', async () => {
    const version = await rollouts.train({ hyperparameters: { ...SMALL, seed: 7 } });
    const canary = { ...QUICK, steps: [5, 100], min_samples: 1_000_000 };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary });
    await rollouts.atShare(id, 5);
    const tell = async (action: string) =>
      expect((await rollouts.service.post(`/deployments/${id}/${action}`)).status).toBe(202);
    await tell('pause');
    await rollouts.inState(id, 'paused');
    const ladder = await rollouts.service.call('PUT', `/deployments/${id}/ladder`, { steps: [10, 40, 100] });
    expect(ladder.status).toBe(202);
    await tell('resume');
    await rollouts.inState(id, 'running');
    await tell('promote');
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    expect(await rollouts.servedVersion()).toBe(version);
    expect((await rollouts.service.post(`/deployments/${id}/pause`)).status, 'it is over').toBe(409);

    const between = new Date().toISOString();
    const key = { 'idempotency-key': rollouts.service.key() };
    const back = await rollouts.service.post('/models/customers/rollback', {}, key);
    expect(back.body).toMatchObject({ version: good, rolled_back_version: version, served: true });
    expect(
      (await rollouts.service.post('/models/customers/rollback', {}, key)).body,
      'the same key, the same answer',
    ).toMatchObject({ deployment_id: back.body['deployment_id'] });
    expect(await rollouts.servedVersion()).toBe(good);
    const asOf = await rollouts.service.get<{ traffic: { version: string } }>(`/models/customers?as_of=${between}`);
    expect(asOf.body.traffic.version).toBe(version);
  });

  it('is ended by a rollback while it is under way', async () => {
    const version = await rollouts.train({ hyperparameters: { ...SMALL, seed: 8 } });
    const canary = { ...QUICK, steps: [5, 100], min_samples: 1_000_000 };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'canary', canary });
    await rollouts.atShare(id, 5);
    const back = await rollouts.service.post('/models/customers/rollback', {});
    expect(back.body).toMatchObject({ version: good, rolled_back_version: version, ended_deployment_id: id });
    expect(await rollouts.deployment(id)).toMatchObject({ state: 'rolled_back', traffic: { version: good, share: 0 } });
    expect(await rollouts.service.ended(job)).toMatchObject({ status: 'cancelled' });
    expect(await rollouts.deployment(id)).toMatchObject({ state: 'rolled_back' });
  });
});

describe('a shadow', () => {
  const SHADOW = { pairs: 300, window_seconds: 1, slow_ms: 25, guardrails: QUICK.guardrails };

  it('scores the same requests, answers none of them, and asks a person when it found no harm', async () => {
    const version = await rollouts.train({ hyperparameters: { ...SMALL, seed: 9 } });
    rollouts.send({ feedbackOf: truths });
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version, strategy: 'shadow', shadow: SHADOW });
    const held = await rollouts.inState(id, 'holding');
    expect(held.traffic).toEqual({ version: good, candidate_version: version, phase: 'shadow', share: 0 });
    expect(held.latest_evidence).toMatchObject({ verdict: 'PROMOTE', reproduced: true });
    await rollouts.service.post(`/deployments/${id}/abort`);
    await rollouts.service.ended(job);
    const answers = await rollouts.noneFailed();
    expect(new Set(answers.map((answer) => answer.version))).toEqual(new Set([good]));
    expect(await rollouts.deployment(id)).toMatchObject({ state: 'aborted' });
  });

  it('finds a version that answers wrongly', async () => {
    rollouts.send({ feedbackOf: truths });
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version: wrong,
      strategy: 'shadow',
      holdout: 'off',
      shadow: SHADOW,
    });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    await rollouts.noneFailed();
    expect((await rollouts.deployment(id)).reason).toMatch(/loss:label/);
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
    [{ strategy: 'shadow', shadow: { guardrails: { 'feedback:revenue': {} } } }, 422],
    [{ strategy: 'canary', canary: { guardrails: { error_rate: { harm: 'falls' } } } }, 422],
    [{ strategy: 'canary', canary: { guardrails: { slow_rate: { margin: 5 } } } }, 422],
    [{ strategy: 'canary' }, 409],
  ])('%j is refused with %i', async (body, status) => {
    expect((await rollouts.service.post('/models/customers/deploy', { version: good, ...body })).status).toBe(status);
  });
});
