import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Part } from '../../infra/local/local-stack.js';
import { PARTS } from '../../infra/local/local-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { learnableTable } from '../integration/api/support/tables.js';
import { ApiProcesses } from '../support/api-processes.js';
import { createApiClient, pause } from '../support/api-client.js';
import { INCONSISTENT_STATES } from '../support/inconsistent-states.js';
import { queryDatabase } from '../support/query-database.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;
/** Quick windows; more requests than a test sends, so that only a person ends the canary. */
const CANARY = { steps: [30, 100], step_seconds: 3, min_samples: 1_000_000 };

let inbox: string;
let stack: TestStack;
let versions: [string, string];
const api = createApiClient(() => stack.api);
const query = <Row extends object>(sql: string, values?: unknown[]) =>
  queryDatabase<Row>(stack.addresses.databaseUrl, sql, values);

interface Rollout {
  state: string;
  traffic: { version: string; candidate_version: string | null; share: number } | null;
  latest_evidence: { window: number; reproduced: boolean } | null;
}

/** Asks until the API and the database are there to answer. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(100)) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: not seen within 60 s.`);
}
const rollout = (id: string, is: (found: Rollout) => boolean, what: string) =>
  until(what, async () => {
    const { status, body } = await api.call<Rollout>('GET', `/deployments/${id}`);
    return status === 200 && is(body) ? body : undefined;
  });
const windowOf = ({ latest_evidence: latest }: Rollout) => latest?.window ?? 0;

/** Which version each of many entities is answered by. */
async function answers(): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  for (let entity = 0; entity < 60; entity++) {
    const body = { entity_id: `e${entity}`, features: { usage: entity, plan: 'plus' } };
    const answer = await until('an answer', async () => {
      const { status, body: answered } = await api.call<{ model_version: string }>('POST', '/predict/customers', body);
      return status === 200 ? answered.model_version : undefined;
    });
    seen.set(`e${entity}`, answer);
  }
  return seen;
}

beforeAll(async () => {
  inbox = mkdtempSync(join(tmpdir(), 'mlops-inbox-'));
  writeFileSync(join(inbox, 'config.yaml'), MODELS);
  writeFileSync(join(inbox, 'data-types.yaml'), '{}\n');
  writeFileSync(join(inbox, 'customers.csv'), learnableTable(1500));
  stack = await TestStack.start({
    NODE_ENV: 'test',
    FAILPOINT: 'deploy:after-trial,deploy:after-evidence',
    DATA_SOURCE_ROOTS: inbox,
    MODELS_CONFIG: join(inbox, 'config.yaml'),
    AUTO_ML_ENABLED: 'false',
  });
  await api.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' }, 'ingest');
  const train = async (seed: number) => {
    const training = { model_type: 'customers', hyperparameters: { n_estimators: 20, seed } };
    return String((await api.run('/models/train', training, `train-${seed}`))['version']);
  };
  versions = [await train(1), await train(2)];
  await api.run('/models/customers/deploy', { version: versions[0] }, 'deploy');
});
afterAll(async () => {
  await stack?.stop();
  rmSync(inbox, { recursive: true, force: true });
});

/** A canary with a window behind it. */
async function begin(key: string): Promise<{ id: string; job: string }> {
  const request = { version: versions[1], strategy: 'canary', canary: CANARY };
  const job = await api.postUntilAccepted('/models/customers/deploy', request, key);
  const id = job.replace('deploy-', 'dep-');
  await rollout(id, (found) => windowOf(found) >= 1, 'the first window');
  return { id, job };
}

describe('a canary whose world is killed', () => {
  /** The canary goes on as it was, is promoted by a person, and is gone back from. */
  async function survive(key: string, fault: () => Promise<void>): Promise<void> {
    const { id, job } = await begin(key);
    const before = await answers();
    expect(new Set(before.values())).toEqual(new Set(versions));
    const { latest_evidence: last } = await rollout(id, () => true, 'the rollout');
    await fault();
    expect(await answers(), 'each entity sees the version that it saw before').toEqual(before);
    const after = await rollout(id, (found) => windowOf(found) > (last?.window ?? 0) + 1, 'two more windows');
    expect(after).toMatchObject({
      state: 'running',
      traffic: { version: versions[0], candidate_version: versions[1], share: 30 },
      latest_evidence: { reproduced: true },
    });
    await until('the promotion', async () =>
      (await api.call('POST', `/deployments/${id}/promote`)).status === 202 ? true : undefined,
    );
    expect(await api.waitForJob(job)).toMatchObject({ status: 'completed', result: { state: 'promoted' } });
    const windows = await query<{ window: number }>(
      'SELECT "window" FROM deployment_evidence WHERE deployment_id = $1 AND "window" > 0 ORDER BY 1',
      [id],
    );
    expect(
      windows.map(({ window }) => window),
      'each window once',
    ).toEqual(windows.map((_, at) => at + 1));
    // The ledger has each change once, whatever was repeated.
    const ledger = await query<{ version: string; candidate_version: string | null; share: number }>(
      'SELECT version, candidate_version, share FROM traffic_ledger WHERE deployment_id = $1 ORDER BY id',
      [id],
    );
    expect(ledger).toEqual([
      { version: versions[0], candidate_version: versions[1], share: 30 },
      { version: versions[1], candidate_version: null, share: 0 },
    ]);
    expect(await changesIn(id), 'each change of a state once').toEqual([
      `${versions[1]} canary`,
      `${versions[0]} retired`,
      `${versions[1]} production`,
    ]);
    expect(await query(INCONSISTENT_STATES)).toEqual([]);
    expect((await api.call('POST', '/models/customers/rollback', {})).body).toMatchObject({ version: versions[0] });
    expect(await query(INCONSISTENT_STATES)).toEqual([]);
  }

  async function changesIn(id: string): Promise<string[]> {
    const rows = await query<{ change: string }>(
      `SELECT version || ' ' || to_state AS change FROM version_events WHERE deployment_id = $1 ORDER BY id`,
      [id],
    );
    return rows.map(({ change }) => change);
  }

  it.each<Part>([...PARTS])('goes on after kill -9 of %s', async (part) => {
    await survive(`canary-${part}`, async () => {
      stack.kill9(part);
      await pause(300);
    });
    expect(new Set((await answers()).values()), 'gone back from').toEqual(new Set([versions[0]]));
  });

  it('goes on after kill -9 of everything at once', async () => {
    await survive('canary-everything', async () => {
      await stack.killEverything();
      await stack.startAgain();
    });
    expect(new Set((await answers()).values()), 'gone back from').toEqual(new Set([versions[0]]));
  });

  it('is rolled back while Temporal is stopped, and stays so when it is back', async () => {
    const { id, job } = await begin('canary-without-temporal');
    const temporal = stack.pid('temporal')!;
    process.kill(temporal, 'SIGSTOP');
    try {
      const back = await api.call('POST', '/models/customers/rollback', {});
      expect(back).toMatchObject({
        status: 200,
        body: { version: versions[0], ended_deployment_id: id, served: true },
      });
      expect(new Set((await answers()).values())).toEqual(new Set([versions[0]]));
    } finally {
      process.kill(temporal, 'SIGCONT');
    }
    const ended = await api.waitForJob(job);
    expect(['failed', 'cancelled']).toContain(ended.status);
    expect(await rollout(id, () => true, 'the rollout')).toMatchObject({
      state: 'rolled_back',
      traffic: { version: versions[0], candidate_version: null, share: 0 },
    });
    expect(await query(INCONSISTENT_STATES)).toEqual([]);
  });
});

describe('API processes on several machines', () => {
  const others = new ApiProcesses(() => stack);
  let elsewhere: string;
  beforeAll(() => (elsewhere = mkdtempSync(join(tmpdir(), 'mlops-elsewhere-'))));
  afterAll(async () => {
    await others.killAll();
    rmSync(elsewhere, { recursive: true, force: true });
  });

  it('agree on who sees what, though no notification ever reaches them', async () => {
    // A machine of its own: it shares database and models, and nothing else.
    const other = await others.start({
      STATE_DIR: elsewhere,
      MODEL_STORAGE_PATH: join(stack.addresses.stateDir, 'models'),
      MODELS_CONFIG: join(inbox, 'config.yaml'),
    });
    const { id, job } = await begin('canary-on-two-machines');
    const there = createApiClient(() => other.url);
    const armsOf = async (client: typeof api) => {
      const arms: string[] = [];
      for (let entity = 0; entity < 200; entity++) {
        const body = { entity_id: `e${entity}`, features: { usage: entity % 100, plan: 'plus' } };
        const { body: answer } = await client.call<{ arm?: string; model_version: string }>(
          'POST',
          '/predict/customers',
          body,
        );
        arms.push(`${answer.arm} ${answer.model_version}`);
      }
      return arms;
    };
    const agree = (what: string, isSo: (arms: readonly string[]) => boolean) =>
      until(what, async () => {
        const [here, beyond] = [await armsOf(api), await armsOf(there)];
        return isSo(here) && here.join() === beyond.join() ? here : undefined;
      });
    const before = await agree('the same arms', (arms) => arms.some((arm) => arm.startsWith('candidate')));
    expect(new Set(before.map((arm) => arm.split(' ')[0]))).toEqual(new Set(['candidate', 'baseline', 'rest']));

    const over = new AbortController();
    const deafen = (async () => {
      while (!over.signal.aborted) {
        await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN mlops_routes%'`);
        await pause(20);
      }
    })();
    try {
      expect((await api.call('POST', '/models/customers/rollback', {})).body).toMatchObject({
        ended_deployment_id: id,
      });
      await agree('the present version everywhere', (arms) => arms.every((arm) => arm === `undefined ${versions[0]}`));
    } finally {
      over.abort();
      await deafen;
    }
    await api.waitForJob(job);
  });
});

describe('the ledger of traffic', () => {
  it.each(['UPDATE traffic_ledger SET version = NULL', 'DELETE FROM traffic_ledger', 'TRUNCATE traffic_ledger'])(
    'refuses %s',
    async (sql) => {
      await expect(query(sql)).rejects.toThrow('never changed or removed');
    },
  );
});
