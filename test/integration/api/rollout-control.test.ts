import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CustomerRollouts, QUICK, SMALL } from './support/customer-rollouts.js';
import { eventually, type ProblemBody } from './support/service.js';

/** Only a person ends it. */
const ENDLESS = { ...QUICK, steps: [5, 100], min_samples: 1_000_000 };

let rollouts: CustomerRollouts;
let other: string;
let wrong: string;
beforeAll(async () => {
  rollouts = await CustomerRollouts.start();
  wrong = await rollouts.trainWrong();
  other = await rollouts.train({ hyperparameters: { ...SMALL, seed: 7 } });
});
afterEach(async () => {
  for (const name of ['sale', 'night']) await rollouts.service.call('DELETE', `/freezes/${name}`);
  await rollouts.cleanUp();
});
afterAll(() => rollouts?.stop());

const tell = (id: string, action: string, body?: object) => rollouts.service.post(`/deployments/${id}/${action}`, body);
const freeze = async (name: string, window: object, model?: string) => {
  const answer = await rollouts.service.call('PUT', `/freezes/${name}`, { reason: 'A sale.', window, model });
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
};
const allDay = { days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '00:00', to: '00:00' };
const signal = async (job: string, name: string, ...parts: unknown[]) =>
  (await rollouts.service.temporal()).workflow.getHandle(job).signal(name, ...parts);

async function neverServed(version: string): Promise<void> {
  expect(await rollouts.servedVersion()).toBe(rollouts.good);
  const ledger = await rollouts.service.get<{ items: { version: string; candidate_version: string | null }[] }>(
    '/models/customers/traffic',
  );
  for (const entry of ledger.body.items) expect([entry.version, entry.candidate_version]).not.toContain(version);
}

describe('the test on rows that neither version has learnt from', () => {
  it('ends the rollout of a version that is worse by its own rows before it has any traffic, whatever the strategy', async () => {
    const poor = await rollouts.train({ hyperparameters: { ...SMALL, n_estimators: 1, max_depth: 1 } });
    for (const strategy of ['immediate', 'canary', 'shadow']) {
      const { deployment_id: id, job_id: job } = await rollouts.begin({
        version: poor,
        strategy,
        allow_unpromotable: true,
      });
      expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
      const { reason, steps, latest_evidence: evidence } = await rollouts.deployment(id);
      expect(reason).toMatch(/worse on rows that neither version has learnt from: loss:label is worse/);
      expect(steps.map(({ step }) => step)).toEqual(['verify', 'holdout']);
      expect(evidence).toMatchObject({
        window: 0,
        verdict: 'ROLLBACK',
        reproduced: true,
        evidence: { strategy: 'holdout' },
      });
      // The same fifth of 1,500 customers was held out of both.
      expect(evidence!.evidence.pairs).toBe(300);
    }
    await neverServed(poor);
  });

  it('finds by the rows of before that a version has learnt from data that went wrong', async () => {
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version: wrong });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'rolled_back' });
    const { reason, latest_evidence: evidence } = await rollouts.deployment(id);
    expect(reason).toMatch(/loss:label on rows held out of v1\.0\.0 is worse.* let a canary tell by live traffic/);
    expect(evidence!.evidence.pairs).toBe(600);
    await neverServed(wrong);
    // Its own rows speak for it, so that a canary looks at what is true now.
    const canary = await rollouts.begin({ version: wrong, strategy: 'canary', canary: ENDLESS });
    await rollouts.atShare(canary.deployment_id, 5);
    const step = (await rollouts.deployment(canary.deployment_id)).steps.find((found) => found.step === 'holdout');
    expect(step!.detail).toMatchObject({
      tested: true,
      verdict: 'ROLLBACK',
      left_to_traffic: true,
      reason: expect.stringContaining('so that live traffic decides'),
    });
  });

  it('can be left out, and can be a condition', async () => {
    const off = await rollouts.begin({ version: wrong, holdout: 'off' });
    expect((await rollouts.service.ended(off.job_id)).result).toMatchObject({ state: 'promoted' });
    expect(await rollouts.windowsOf(off.deployment_id)).toEqual([]);
    // Each is the better one by its own rows.
    const back = await rollouts.begin({ version: other, holdout: 'must_pass', strategy: 'canary', canary: ENDLESS });
    expect((await rollouts.service.ended(back.job_id)).result).toMatchObject({ state: 'rolled_back' });
    expect((await rollouts.windowsOf(back.deployment_id))[0]).toMatchObject({ window: 0, verdict: 'ROLLBACK' });
  });

  it('that cannot settle it lets the rollout go on, unless it must be passed', async () => {
    // Equal but for a draw: 300 rows do not show that the loss is not higher by a fifth.
    const twin = await rollouts.train({ hyperparameters: { ...SMALL, seed: 99, max_depth: 5 } });
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version: twin, holdout: 'must_pass' });
    const { result } = await rollouts.service.ended(job);
    const [window] = await rollouts.windowsOf(id);
    expect(['ASK', 'PROMOTE']).toContain(window!.verdict);
    expect(result).toMatchObject({ state: window!.verdict === 'PROMOTE' ? 'promoted' : 'rolled_back' });
    if (window!.verdict === 'ASK')
      expect((await rollouts.deployment(id)).reason).toMatch(/must be passed, and was not/);
  });

  it('says why where it cannot be made', async () => {
    await rollouts.service.query(
      `UPDATE model_versions SET lineage = lineage - 'holdout' WHERE model = 'customers' AND version = $1`,
      [other],
    );
    const stopped = await rollouts.begin({ version: other, holdout: 'must_pass' });
    expect((await rollouts.service.ended(stopped.job_id)).result).toMatchObject({ state: 'rolled_back' });
    expect((await rollouts.deployment(stopped.deployment_id)).reason).toMatch(
      new RegExp(`cannot be made: ${other} kept no held-out rows`),
    );
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version: other });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    const step = (await rollouts.deployment(id)).steps.find((found) => found.step === 'holdout');
    expect(step!.detail).toEqual({ tested: false, reason: expect.stringContaining('kept no held-out rows') });
  });
});

describe('a freeze', () => {
  it('refuses an immediate rollout, unless it is overridden', async () => {
    const frozen = await freeze('sale', allDay);
    expect(frozen).toMatchObject({ name: 'sale', model: null, created_by: 'local' });
    expect(Date.parse(String(frozen['frozen_until']))).toBeGreaterThan(Date.now());
    const refused = await rollouts.deploy({ version: other });
    expect(refused.status).toBe(409);
    expect((refused.body as unknown as ProblemBody).type).toBe('urn:problem:traffic_frozen');
    expect((refused.body as unknown as ProblemBody).detail).toMatch(/by "sale": A sale\./);
    const { job_id: job } = await rollouts.begin({ version: other, override_freeze: true });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    // The way back is always open.
    expect((await rollouts.service.post('/models/customers/rollback', {})).status).toBe(200);
  });

  it('of another model, and one that is over, hold nothing', async () => {
    await rollouts.service.query(
      `INSERT INTO traffic_freezes (name, model, reason, "window", created_by) VALUES ('sale', 'others', 'A sale.', $1, 'x')`,
      [JSON.stringify({ ...allDay, time_zone: 'UTC' })],
    );
    await freeze('night', { starts_at: '2026-01-01T00:00:00Z', ends_at: '2026-01-02T00:00:00Z' }, 'customers');
    const list = await rollouts.service.get<{ items: { name: string; frozen_until: string | null }[] }>('/freezes');
    expect(list.body.items.map(({ name }) => name)).toEqual(['night', 'sale']);
    expect(list.body.items[0]!.frozen_until).toBeNull();
    const { job_id: job } = await rollouts.begin({ version: other });
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
  });

  it('lets a canary wait, first for its traffic and then at its step, and go on when it is over', async () => {
    await freeze('sale', allDay, 'customers');
    rollouts.send();
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version: other,
      strategy: 'canary',
      canary: QUICK,
    });
    const waiting = await rollouts.inState(id, 'holding');
    expect(waiting.reason).toMatch(/Traffic is frozen until .* by "sale": A sale\./);
    expect(waiting.traffic).toMatchObject({ candidate_version: null, share: 0 });
    await rollouts.service.call('DELETE', '/freezes/sale');
    await rollouts.atShare(id, 20);
    await freeze('night', allDay);
    const held = await rollouts.inState(id, 'holding');
    expect(held.reason).toMatch(/by "night"/);
    expect(held.traffic.share).toBe(20);
    expect(await tell(id, 'promote')).toMatchObject({ status: 409, body: { type: 'urn:problem:traffic_frozen' } });
    // By the command line nobody is asked, but the rollout waits all the same.
    await signal(job, 'promote');
    await eventually('the promotion being written down', async () =>
      (await rollouts.deployment(id)).commands.some(({ action }) => action === 'promote') ? true : undefined,
    );
    expect((await rollouts.inState(id, 'holding')).traffic.share).toBe(20);
    expect((await tell(id, 'promote', { override_freeze: true, note: 'It is urgent.' })).status).toBe(202);
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    const { commands, reason } = await rollouts.deployment(id);
    expect(reason).toBe('Promoted by local: It is urgent.');
    expect(commands.map(({ action, by }) => [action, by])).toEqual([
      ['promote', 'temporal'],
      ['promote', 'local'],
    ]);
    await rollouts.noneFailed();
  });

  it.each([
    ['PUT', '/freezes/Sale', { reason: 'x', window: allDay }, 422],
    ['PUT', '/freezes/sale', { reason: 'x' }, 422],
    ['PUT', '/freezes/sale', { reason: 'x', window: { ...allDay, from: '25:00' } }, 422],
    ['PUT', '/freezes/sale', { reason: 'x', window: allDay, model: 'nobody' }, 404],
    ['DELETE', '/freezes/nothing', undefined, 404],
    ['GET', '/freezes?cursor=nothing', undefined, 422],
  ])('%s %s %j is refused with its reason', async (method, path, body, status) => {
    expect((await rollouts.service.call(method, path, body)).status).toBe(status);
  });
});

describe('a rollback', () => {
  it('stands against the workflow of the rollout that it has ended, however late that hears of it', async () => {
    const { temporal } = { temporal: rollouts.service.stack.pid('temporal')! };
    for (const delayMs of [0, 60, 150]) {
      const { deployment_id: id, job_id: job } = await rollouts.begin({ version: other });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      process.kill(temporal, 'SIGSTOP');
      let ended: string | null = null;
      try {
        const back = await rollouts.service.post<{ ended_deployment_id: string | null }>('/models/customers/rollback', {
          version: rollouts.good,
        });
        // It may have come before the rollout has opened, or after it was over.
        ended = back.status === 200 ? back.body.ended_deployment_id : null;
      } finally {
        process.kill(temporal, 'SIGCONT');
      }
      await rollouts.service.ended(job);
      const { state, traffic } = await rollouts.deployment(id);
      if (ended === id) {
        expect([state, traffic.version]).toEqual(['rolled_back', rollouts.good]);
        expect(await rollouts.servedVersion()).toBe(rollouts.good);
      }
      if ((await rollouts.servedVersion()) !== rollouts.good)
        await rollouts.service.post('/models/customers/rollback', { version: rollouts.good });
    }
  });

  it('also takes the traffic back from the versions of experiments, and the ledger tells of both', async () => {
    await rollouts.service.run('/models/customers/deploy', { version: other });
    const arms = [
      { arm: 'present', version: other, weight: 50 },
      { arm: 'former', version: rollouts.good, weight: 50 },
    ];
    const begun = await rollouts.service.post<{ experiment_id: string; job_id: string }>('/experiments', {
      model: 'customers',
      metric: 'error_rate',
      minimum_effect: 0.01,
      max_seconds: 600,
      window_seconds: 1,
      arms,
    });
    expect(begun.status, begun.text).toBe(202);
    const { experiment_id: experiment, job_id: job } = begun.body;
    const armOf = async (entity: string) =>
      (
        await rollouts.service.post<{ experiment_id?: string; model_version: string }>('/predict/customers', {
          entity_id: entity,
          features: { usage: 50, plan: 'pro' },
        })
      ).body;
    await eventually('the experiment', async () => ((await armOf('e1')).experiment_id ? true : undefined));
    expect((await rollouts.deploy({ version: rollouts.good })).status, 'another version for all').toBe(409);
    const back = await rollouts.service.post('/models/customers/rollback', { version: rollouts.good });
    expect(back.body).toMatchObject({ version: rollouts.good, ended_experiment_ids: [experiment], served: true });
    for (let entity = 0; entity < 20; entity++)
      expect(await armOf(`e${entity}`)).toMatchObject({ model_version: rollouts.good });
    await rollouts.service.ended(job);
    expect((await rollouts.service.get(`/experiments/${experiment}`)).body['state']).toBe('stopped');
    const { items } = (
      await rollouts.service.get<{ items: { version: string; experiments: { experiment_id: string }[] }[] }>(
        '/models/customers/traffic?limit=4',
      )
    ).body;
    expect(items.map((entry) => [entry.version, entry.experiments.map((one) => one.experiment_id)])).toEqual([
      [rollouts.good, []],
      [other, []],
      [other, [experiment]],
      [other, []],
    ]);
  });
});

describe('an approval', () => {
  it('lets a shadow go on once the evidence allows it, given ahead or when asked for', async () => {
    rollouts.send();
    const shadow = { pairs: 300, window_seconds: 1, slow_ms: 25, guardrails: QUICK.guardrails };
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version: other, strategy: 'shadow', shadow });
    expect((await tell(id, 'approve', { note: 'I have looked at it.' })).status).toBe(202);
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
    expect((await rollouts.deployment(id)).commands).toEqual([
      expect.objectContaining({ action: 'approve', by: 'local', note: 'I have looked at it.', refused: null }),
    ]);
    await rollouts.service.post('/models/customers/rollback', {});

    const asked = await rollouts.begin({ version: other, strategy: 'shadow', shadow });
    await rollouts.inState(asked.deployment_id, 'holding');
    await signal(asked.job_id, 'approve');
    expect((await rollouts.service.ended(asked.job_id)).result).toMatchObject({ state: 'promoted' });
    await rollouts.noneFailed();
  });

  it('is not enough where the evidence speaks against it', async () => {
    const canary = { ...ENDLESS, steps: [50, 100], min_samples: 50, approval: true };
    rollouts.send();
    const { deployment_id: id, job_id: job } = await rollouts.begin({ version: other, strategy: 'canary', canary });
    await rollouts.inState(id, 'holding');
    // Cohorts that are not of the same size cannot be compared.
    await rollouts.service.query(
      `INSERT INTO predictions (id, model, version, entity_id, features, predictions, latency_us, correlation_id, arm, trial_id, created_at)
       SELECT 'skew-' || n, 'customers', $1, 'skew-' || n, '{}', '{}', 100, 'test', 'candidate', $2, now() FROM generate_series(1, 20000) n`,
      [other, id],
    );
    await eventually('the broken split', async () => {
      const { latest_evidence: latest } = await rollouts.deployment(id);
      return latest!.verdict === 'ASK' ? true : undefined;
    });
    expect((await tell(id, 'approve')).status).toBe(202);
    await eventually('the approval', async () =>
      (await rollouts.deployment(id)).commands.some(({ action }) => action === 'approve') ? true : undefined,
    );
    const { window } = (await rollouts.deployment(id)).latest_evidence!;
    await eventually('two more windows', async () =>
      (await rollouts.deployment(id)).latest_evidence!.window > window + 1 ? true : undefined,
    );
    expect(await rollouts.deployment(id)).toMatchObject({ state: 'holding', traffic: { share: 50 } });
    await tell(id, 'abort');
    await rollouts.service.ended(job);
    await rollouts.noneFailed();
  });

  it('is nobody’s to give where none is asked for', async () => {
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version: other,
      strategy: 'canary',
      canary: ENDLESS,
    });
    await rollouts.atShare(id, 5);
    expect((await tell(id, 'approve')).status).toBe(409);
    await signal(job, 'approve');
    const commands = await eventually('the signal being written down', async () => {
      const { commands: found } = await rollouts.deployment(id);
      return found.length > 0 ? found : undefined;
    });
    expect(commands).toMatchObject([{ action: 'approve', by: 'temporal', refused: expect.stringContaining('nobody') }]);
  });
});

describe('what a person wants', () => {
  it('is promoted at once also when it was paused before', async () => {
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version: other,
      strategy: 'canary',
      canary: ENDLESS,
    });
    await rollouts.atShare(id, 5);
    await tell(id, 'pause');
    await rollouts.inState(id, 'paused');
    await tell(id, 'promote');
    expect((await rollouts.service.ended(job)).result).toMatchObject({ state: 'promoted' });
  });

  it('is written down with name, reason and effect, from the API and the command line', async () => {
    const { deployment_id: id, job_id: job } = await rollouts.begin({
      version: other,
      strategy: 'canary',
      canary: ENDLESS,
    });
    await rollouts.atShare(id, 5);
    await tell(id, 'pause', { note: 'Looking at a report.' });
    await rollouts.inState(id, 'paused');
    await rollouts.service.call('PUT', `/deployments/${id}/ladder`, { steps: [10, 40, 100] });
    // What makes no sense has no effect and does no harm, whoever sends it.
    for (const steps of [[], 'ten', null, [60, 100], [5, { length: 1 }], undefined])
      await signal(job, 'set_ladder', steps);
    await signal(job, 'resume', { by: 'x'.repeat(2000), note: { nested: true } });
    await rollouts.inState(id, 'running');
    await signal(job, 'pause', ['a list']);
    await rollouts.inState(id, 'paused');
    await tell(id, 'abort', { note: 'The report is bad.' });
    await rollouts.service.ended(job);
    const { state, reason, commands } = await rollouts.deployment(id);
    expect([state, reason]).toEqual(['aborted', 'Aborted by local: The report is bad.']);
    expect(commands.map(({ action, by }) => [action, by.slice(0, 8)])).toEqual([
      ['pause', 'local'],
      ['set_ladder', 'local'],
      ...Array.from({ length: 6 }, () => ['set_ladder', 'temporal']),
      ['resume', 'xxxxxxxx'],
      ['pause', 'temporal'],
      ['abort', 'local'],
    ]);
    expect(commands[1]).toMatchObject({ detail: { steps: [10, 40, 100] }, refused: null });
    for (const refused of commands.slice(2, 8)) expect(refused.refused).toMatch(/must/);
    expect(commands[8]!.by).toHaveLength(500);
    await expect(rollouts.service.query('DELETE FROM deployment_commands')).rejects.toThrow('never changed');
  });

  const COMMANDS = ['pause', 'resume', 'promote', 'approve', 'abort', 'ladder'] as const;
  const send = (id: string, command: (typeof COMMANDS)[number]) =>
    command === 'ladder'
      ? rollouts.service.call('PUT', `/deployments/${id}/ladder`, { steps: [10, 100] })
      : tell(id, command);

  it('can be had in every state of a rollout that is under way, and is refused in every one after it', async () => {
    // Accepted, and no worker there that could begin it.
    const worker = rollouts.service.stack.pid('pipeline-worker')!;
    process.kill(worker, 'SIGSTOP');
    let pending: { deployment_id: string; job_id: string };
    try {
      pending = await rollouts.begin({ version: other, strategy: 'canary', canary: ENDLESS });
      expect((await rollouts.service.get(`/deployments/${pending.deployment_id}`)).body['state']).toBe('pending');
      expect((await send(pending.deployment_id, 'pause')).status).toBe(202);
      expect((await send(pending.deployment_id, 'ladder')).status).toBe(202);
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    const { deployment_id: id } = pending;
    // It was told before its first step, and waits there.
    await eventually('the paused job', async () => {
      const { body } = await rollouts.service.get<{ stage: string }>(`/jobs/${pending.job_id}`);
      return body.stage === 'paused' ? true : undefined;
    });
    expect((await rollouts.deployment(id)).state).toBe('pending');
    expect((await send(id, 'resume')).status).toBe(202);
    await rollouts.atShare(id, 10);
    await rollouts.inState(id, 'running');
    for (const command of ['pause', 'ladder', 'resume'] as const) expect((await send(id, command)).status).toBe(202);
    expect((await send(id, 'abort')).status).toBe(202);
    await rollouts.service.ended(pending.job_id);

    const over = [id];
    for (const ask of [2, 1]) {
      // One that asks a person: it is promoted, or nobody decides.
      const canary = { ...ENDLESS, max_seconds: 1, ask_seconds: ask === 2 ? 600 : 1 };
      const asking = await rollouts.begin({ version: other, strategy: 'canary', canary });
      over.push(asking.deployment_id);
      if (ask === 2) {
        await rollouts.inState(asking.deployment_id, 'holding');
        for (const command of ['pause', 'ladder', 'resume', 'promote'] as const)
          expect((await send(asking.deployment_id, command)).status, `${command} while holding`).toBe(202);
      }
      await rollouts.service.ended(asking.job_id);
      await rollouts.service.post('/models/customers/rollback', { version: rollouts.good });
    }
    const rolledBack = await rollouts.begin({ version: wrong });
    await rollouts.service.ended(rolledBack.job_id);
    over.push(rolledBack.deployment_id);
    const states = [];
    for (const one of over) {
      states.push((await rollouts.deployment(one)).state);
      for (const command of COMMANDS)
        expect((await send(one, command)).status, `${command} of one that is ${states.at(-1)}`).toBe(409);
    }
    expect(states).toEqual(['aborted', 'promoted', 'aborted', 'rolled_back']);
    expect((await tell('dep-nothing', 'pause')).status).toBe(404);
  });

  it.each([
    ['pause', { note: '' }],
    ['promote', { note: 'x'.repeat(501) }],
    ['promote', { override_freeze: 'yes' }],
    ['abort', { reason: 'x' }],
  ])('is refused when it is not well said: %s %j', async (action, body) => {
    expect((await tell('dep-nothing', action, body)).status).toBe(422);
  });
});
