import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { SignatureHead } from '../../../services/artifacts/model-bundle.js';
import type { Database } from '../../../services/database/database.js';
import { collectCanary, collectShadow, findSlowUs } from '../../../services/deployments/collect-evidence.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const NOW = Date.UTC(2026, 4, 10, 12);
const SINCE = new Date(NOW - 3_600_000);
const HEADS: SignatureHead[] = [
  { name: 'churn', task: 'binary', classes: [false, true] },
  { name: 'level', task: 'multiclass', classes: ['low', 'high'] },
  { name: 'value', task: 'regression' },
  { name: "it's", task: 'regression' },
];

interface Logged {
  id: string;
  arm: string;
  entity_id?: string;
  predictions: Record<string, unknown>;
  latency_us: number;
  cached: boolean;
  error?: string;
  shadow_of?: string;
  outcome?: Record<string, unknown>;
  metrics?: Record<string, number>;
}

let server: MigratedDatabase;
let database: Database;
beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
});
afterAll(async () => {
  await server?.stop();
});
beforeEach(() => database.pool.query('TRUNCATE predictions, prediction_outcomes'));

async function write(rows: readonly Logged[], deployment = 'dep-1'): Promise<void> {
  const lines = rows.map(({ outcome: _outcome, metrics: _metrics, ...row }) =>
    JSON.stringify({
      ...row,
      model: 'm',
      version: 'v1.0.0',
      features: {},
      correlation_id: 'c',
      // The prediction that a shadow was made for belongs to no cohort.
      ...(row.arm === 'answered' ? { arm: undefined } : { trial_id: deployment }),
      created_at: NOW,
    }),
  );
  await createPredictionStore(database).write(lines, { firstMs: NOW, lastMs: NOW });
  for (const { id, outcome, metrics } of rows)
    if (outcome ?? metrics)
      await database.pool.query(
        `INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome, metrics) VALUES
         ($1, $2, '{"churn": true, "level": "none", "value": 1e9}', '{"revenue": -1e9}'), ($1, $3, $4, $5)`,
        // An older report must not count.
        [id, new Date(NOW - 1000), new Date(NOW), outcome ?? {}, metrics ?? {}],
      );
}

const request = (settings: object = {}, slowUs: number | null = 1000) => ({
  deploymentId: 'dep-1',
  since: SINCE,
  heads: HEADS,
  settings,
  slowUs,
});

/** The measures once more, row by row in plain code. */
const MEASURES: Record<string, (row: Logged) => number | undefined> = {
  error_rate: ({ error }) => Number(error !== undefined),
  slow_rate: ({ cached, error, latency_us: us }) => (cached || error !== undefined ? undefined : Number(us > 1000)),
  'loss:churn': ({ error, predictions, outcome }) =>
    error !== undefined || outcome?.['churn'] === undefined
      ? undefined
      : (Number(predictions['churn']) - Number(outcome['churn'])) ** 2,
  'calibration:churn': ({ error, predictions, outcome }) =>
    error !== undefined || outcome?.['churn'] === undefined
      ? undefined
      : Number(predictions['churn']) - Number(outcome['churn']),
  'loss:level': ({ error, predictions, outcome }) =>
    error !== undefined || outcome?.['level'] === undefined
      ? undefined
      : Number(predictions['level'] !== outcome['level']),
  'loss:value': ({ error, predictions, outcome }) =>
    error !== undefined || outcome?.['value'] === undefined
      ? undefined
      : Math.abs(Number(predictions['value']) - Number(outcome['value'])),
  'mean:churn': ({ error, predictions }) => (error === undefined ? Number(predictions['churn']) : undefined),
  'feedback:revenue': ({ metrics }) => metrics?.['revenue'],
};

function sumsByHand(pairs: readonly { entity: string; y: number | undefined }[]) {
  const entities = new Map<string, { n: number; y: number }>();
  for (const { entity, y } of pairs) {
    if (y === undefined) continue;
    const sum = entities.get(entity) ?? { n: 0, y: 0 };
    entities.set(entity, { n: sum.n + 1, y: sum.y + y });
  }
  const all = [...entities.values()];
  const total = (of: (sum: { n: number; y: number }) => number) => all.reduce((sum, entity) => sum + of(entity), 0);
  return {
    entities: all.length,
    requests: total(({ n }) => n),
    total: total(({ y }) => y),
    requestsSquared: total(({ n }) => n * n),
    totalSquared: total(({ y }) => y * y),
    crossed: total(({ n, y }) => n * y),
    entitiesWithEvents: all.filter(({ y }) => y !== 0).length,
  };
}

function expectSums(actual: object, expected: object, what: string): void {
  for (const [name, value] of Object.entries(expected))
    expect((actual as Record<string, number>)[name], `${what} ${name}`).toBeCloseTo(value as number, 6);
}

const prng = createPrng(5);
const pick = <T>(...values: T[]) => values[Math.floor(prng.next() * values.length)]!;
function drawn(id: string, arm: string, entity: string | undefined): Logged {
  const error = prng.next() < 0.1 ? 'request_invalid' : undefined;
  return {
    id,
    arm,
    entity_id: entity,
    predictions: {
      churn: Math.round(prng.next() * 100) / 100,
      level: pick('low', 'high'),
      value: Math.round(prng.next() * 9),
    },
    latency_us: pick(10, 1000, 1001, 5000),
    cached: prng.next() < 0.3,
    error,
    ...(prng.next() < 0.5
      ? { outcome: { churn: pick<unknown>(true, false, 1, 0, 'true'), level: pick('low', 'high'), value: 3 } }
      : {}),
    ...(prng.next() < 0.3 ? { metrics: { revenue: Math.round(prng.next() * 50) } } : {}),
  };
}
/** `true`, 1 and "true" are one truth. */
const asTruth = (row: Logged): Logged =>
  row.outcome
    ? { ...row, outcome: { ...row.outcome, churn: [true, 1, 'true'].includes(row.outcome['churn'] as never) } }
    : row;

describe('the evidence of a canary', () => {
  const rows = Array.from({ length: 400 }, (_, at) => {
    const entity = Math.floor(prng.next() * 40);
    const arm = ['candidate', 'baseline', 'rest'][entity % 3]!;
    return drawn(`p${at}`, arm, entity % 7 === 0 ? undefined : `e${entity}`);
  });

  it('is what summing up row by row gives, for every measure', async () => {
    await write(rows);
    await write([{ ...drawn('other', 'candidate', 'e1'), error: 'internal_error' }], 'dep-2');
    const guardrails = { 'mean:churn': {}, 'feedback:revenue': {} };
    const { measures, assignment } = await collectCanary(database, request({ guardrails }));
    expect(measures.map(({ measure }) => measure)).toEqual(
      expect.arrayContaining([...Object.keys(MEASURES), "loss:it's"]),
    );
    for (const [name, measure] of Object.entries(MEASURES)) {
      const found = measures.find((item) => item.measure === name)!;
      for (const arm of ['candidate', 'baseline'] as const) {
        const cohort = rows.filter((row) => row.arm === arm).map(asTruth);
        const values = cohort.map((row) => ({ entity: row.entity_id ?? row.id, y: measure(row) }));
        expectSums(found[arm], sumsByHand(values), `${name} of ${arm}`);
      }
    }
    const entitiesOf = (arm: string) =>
      new Set(rows.filter((row) => row.arm === arm).map((row) => row.entity_id ?? row.id)).size;
    expect(assignment).toEqual({ candidate: entitiesOf('candidate'), baseline: entitiesOf('baseline'), both: 0 });
  });

  it('counts entities that both versions answered apart', async () => {
    await write([drawn('a', 'candidate', 'x'), drawn('b', 'baseline', 'x'), drawn('c', 'baseline', 'y')]);
    expect((await collectCanary(database, request())).assignment).toEqual({ candidate: 0, baseline: 1, both: 1 });
  });

  it('of no requests is empty, and slowness waits for enough of them', async () => {
    const { measures } = await collectCanary(database, request({}, null));
    for (const { candidate, baseline } of measures) expect([candidate.requests, baseline.requests]).toEqual([0, 0]);
    expect(await findSlowUs(database, request({}, null), 5)).toBeUndefined();
    await write(
      Array.from({ length: 200 }, (_, at) => ({
        ...drawn(`s${at}`, 'baseline', `e${at}`),
        cached: false,
        error: undefined,
        latency_us: at,
      })),
    );
    expect(await findSlowUs(database, request({}, null), 0.05), 'the 99th percentile').toBe(197);
    expect(await findSlowUs(database, request({}, null), 5), 'or the floor, where that is more').toBe(5000);
  });

  it('leaves out what is switched off, and holds to the margins that are asked for', async () => {
    const guardrails = { slow_rate: { enabled: false }, 'loss:level': { margin: 0.1 }, error_rate: { margin: 0.02 } };
    const { measures } = await collectCanary(database, request({ guardrails }));
    expect(measures.map(({ measure }) => measure)).not.toContain('slow_rate');
    expect(measures.find(({ measure }) => measure === 'error_rate')).toMatchObject({ margin: 0.02 });
    const asked = measures.find(({ measure }) => measure === 'loss:level');
    expect(asked).toMatchObject({ margin: 0.1 });
    expect(asked, 'what is asked for must be settled').not.toHaveProperty('isOptional');
    expect(measures.find(({ measure }) => measure === 'loss:churn')).toMatchObject({ isOptional: true });
  });
});

describe('the evidence of a shadow', () => {
  it('is the difference between both scores of the same request', async () => {
    const answered = Array.from({ length: 150 }, (_, at) => ({
      ...drawn(`a${at}`, 'answered', `e${at % 20}`),
      error: undefined,
    }));
    const shadows = answered.slice(0, 120).map((row, at): Logged => ({
      ...drawn(`s${at}`, 'shadow', row.entity_id),
      cached: false,
      shadow_of: row.id,
      outcome: undefined,
      metrics: undefined,
    }));
    await write([...answered, ...shadows]);
    const { pairs, measures } = await collectShadow(database, request());
    expect(pairs).toBe(120);
    for (const name of ['error_rate', 'slow_rate', 'loss:churn', 'loss:level', 'loss:value']) {
      const found = measures.find(({ measure }) => measure === name)!;
      const differences = shadows.map((shadow) => {
        const row = asTruth(answered.find(({ id }) => id === shadow.shadow_of)!);
        const [y, base] = [{ ...shadow, outcome: row.outcome }, row].map(MEASURES[name]!);
        return { entity: row.entity_id!, y: y === undefined || base === undefined ? undefined : y - base };
      });
      expectSums(found.difference, sumsByHand(differences), name);
    }
  });
});
