import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import { closeExperiment } from '../../../services/experiments/close-experiment.js';
import { evaluateExperiment } from '../../../services/experiments/evaluate-experiment.js';
import { collectExperiment, describeHistory } from '../../../services/experiments/collect-experiment.js';
import { daysFor, entitiesBy } from '../../../services/experiments/plan-experiment.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 4, 20, 12);
const SINCE = new Date(NOW - DAY_MS);
const ARMS = ['a', 'b'].map((arm) => ({ arm, version: 'v1.0.0', digest: arm, weight: 0.5, retired: false }));
const HEADS = [{ name: 'churn', task: 'binary' }];

/** Three batches, of which the last one has had no entity yet. */
const ALLOCATION = {
  batches: 5,
  floor: 0.1,
  context: [],
  opened: [0.5, 0.25, 0.9].map((first, window) => ({ window, at: '', chances: { '': [first, 1 - first] } })),
};
const stratumAt = (entity = '') => String(entity.length % 2);

interface Logged {
  id: string;
  atMs: number;
  entity?: string;
  arm?: string;
  churn: number;
  truth?: boolean;
  revenue?: number;
}

let server: MigratedDatabase;
let database: Database;
const prng = createPrng(3);
/** Ten days of 30 entities; the last day is the experiment. Entity 7 sees both arms. */
const rows = Array.from({ length: 2400 }, (_, at): Logged => {
  const entity = Math.floor(prng.next() * 30);
  const atMs = NOW - Math.floor(prng.next() * 10 * DAY_MS);
  const isDuring = atMs >= SINCE.getTime();
  const arm = entity === 7 ? ['a', 'b'][at % 2] : ['a', 'b'][entity % 2];
  return {
    id: `p${at}`,
    atMs,
    entity: entity === 9 ? undefined : `e${entity}`,
    ...(isDuring ? { arm } : {}),
    churn: Math.round(prng.next() * 100) / 100,
    ...(prng.next() < 0.5 ? { truth: prng.next() < 0.4 } : {}),
    ...(prng.next() < 0.6 ? { revenue: Math.round(prng.next() * 20) } : {}),
  };
});

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  const lines = rows.map(({ id, atMs, entity, arm, churn }) =>
    JSON.stringify({
      id,
      model: 'm',
      version: 'v1.0.0',
      entity_id: entity,
      features: {},
      predictions: { churn },
      latency_us: 1,
      cached: false,
      correlation_id: 'c',
      created_at: atMs,
      ...(arm ? { arm, trial_id: 'exp-1', propensity: 0.25, stratum: stratumAt(entity) } : {}),
    }),
  );
  await createPredictionStore(database).write(lines, { firstMs: NOW - 10 * DAY_MS, lastMs: NOW });
  for (const { id, truth, revenue } of rows)
    if (truth !== undefined || revenue !== undefined)
      await database.pool.query(
        'INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome, metrics) VALUES ($1, $2, $3, $4)',
        [id, new Date(NOW), truth === undefined ? {} : { churn: truth }, revenue === undefined ? {} : { revenue }],
      );
});
afterAll(async () => {
  await server?.stop();
});

type Kind = 'binary' | 'mean' | 'ratio';
/** n and y of one entity, in plain code. */
function valueOf(of: readonly Logged[], metric: string, kind: Kind): { n: number; y: number } {
  const values = of.map(({ churn, truth, revenue }) => {
    if (metric === 'feedback:revenue') return revenue;
    if (truth === undefined) return undefined;
    return metric === 'outcome:churn' ? Number(truth) : (churn - Number(truth)) ** 2;
  });
  const known = values.filter((value) => value !== undefined);
  const sum = known.reduce((total, value) => total + value, 0);
  const isSilent = metric === 'feedback:revenue';
  if (kind === 'ratio') return { n: isSilent ? values.length : known.length, y: sum };
  const n = isSilent || known.length > 0 ? 1 : 0;
  return { n, y: kind === 'binary' ? Number(known.some((value) => value > 0)) : sum };
}

describe('the evidence of an experiment', () => {
  it.each([
    ['feedback:revenue', 'mean'],
    ['feedback:revenue', 'binary'],
    ['feedback:revenue', 'ratio'],
    ['outcome:churn', 'ratio'],
    ['loss:churn', 'ratio'],
  ] as const)('of %s as a %s is what summing up entity by entity gives', async (metric, kind) => {
    const question = { model: 'm', metric, kind, heads: HEADS, experimentId: 'exp-1', since: SINCE, arms: ARMS };
    const { arms, crossed } = await collectExperiment(database, { ...question, covariateDays: 5 });
    expect(crossed).toBe(1);
    for (const { arm, assigned, sums, before } of arms) {
      const names = new Set(
        rows.filter((row) => row.arm === arm && row.entity && row.entity !== 'e7').map((row) => row.entity!),
      );
      const all = [...names].map((name) => {
        const own = rows.filter((row) => row.entity === name);
        const past = own.filter(({ atMs }) => atMs < SINCE.getTime() && atMs >= SINCE.getTime() - 5 * DAY_MS);
        const earlier = past.length > 0 ? valueOf(past, metric, kind) : { n: 0, y: 0 };
        return {
          ...valueOf(
            own.filter((row) => row.arm !== undefined),
            metric,
            kind,
          ),
          x: earlier.n > 0 ? earlier.y / earlier.n : 0,
        };
      });
      const sum = (of: (entity: (typeof all)[number]) => number) =>
        all.reduce((total, entity) => total + of(entity), 0);
      expect(assigned).toBe(all.length);
      const expected = {
        entities: all.filter(({ n }) => n > 0).length,
        requests: sum(({ n }) => n),
        total: sum(({ y }) => y),
        requestsSquared: sum(({ n }) => n * n),
        totalSquared: sum(({ y }) => y * y),
        crossed: sum(({ n, y }) => n * y),
        entitiesWithEvents: all.filter(({ y }) => y !== 0).length,
      };
      for (const [name, value] of Object.entries(expected))
        expect(sums[name as keyof typeof expected], `${arm} ${name}`).toBeCloseTo(value, 8);
      const measured = (of: (entity: (typeof all)[number]) => number) =>
        sum((entity) => (entity.n > 0 ? of(entity) : 0));
      expect(before!.total).toBeCloseTo(
        measured(({ x }) => x),
        8,
      );
      expect(before!.squared).toBeCloseTo(
        measured(({ x }) => x * x),
        8,
      );
      expect(before!.withTotal).toBeCloseTo(
        sum(({ x, y }) => x * y),
        8,
      );
      expect(before!.withRequests).toBeCloseTo(
        sum(({ x, n }) => x * n),
        8,
      );
    }
  });

  it('is divided by the batch that entities were drawn from, whose parts add up to the whole', async () => {
    const question = { model: 'm', metric: 'feedback:revenue', kind: 'mean' as const, heads: HEADS };
    const { arms } = await collectExperiment(database, {
      ...question,
      experimentId: 'exp-1',
      since: SINCE,
      arms: ARMS,
      covariateDays: 5,
      allocation: ALLOCATION,
    });
    for (const [at, { arm, assigned, sums, before, strata }] of arms.entries()) {
      expect(strata!.map(({ stratum, propensity }) => [stratum, propensity])).toEqual(
        [0.5, 0.25, 0.9].map((first, batch) => [String(batch), at === 0 ? first : 1 - first]),
      );
      const own = rows.filter((row) => row.arm === arm && row.entity && row.entity !== 'e7');
      for (const { stratum, assigned: entities } of strata!)
        expect(entities).toBe(
          new Set(own.filter(({ entity }) => stratumAt(entity) === stratum).map((row) => row.entity)).size,
        );
      const add = (of: (cell: NonNullable<typeof strata>[number]) => number | undefined) =>
        strata!.reduce((sum, cell) => sum + (of(cell) ?? 0), 0);
      expect(add((cell) => cell.assigned)).toBe(assigned);
      for (const name of Object.keys(sums) as (keyof typeof sums)[])
        expect(add((cell) => cell.sums[name])).toBeCloseTo(sums[name], 8);
      expect(add((cell) => cell.before?.withTotal)).toBeCloseTo(before!.withTotal, 8);
    }
  });

  it('tells what the metric was before: its mean and spread, and the entities of a day', async () => {
    const question = { model: 'm', metric: 'feedback:revenue', kind: 'mean' as const, heads: HEADS };
    const history = await describeHistory(database, { ...question, until: new Date(NOW + 1), days: 28 });
    const names = new Set(rows.flatMap(({ entity }) => (entity === undefined ? [] : [entity])));
    const totals = [...names].map(
      (name) =>
        valueOf(
          rows.filter((row) => row.entity === name),
          'feedback:revenue',
          'mean',
        ).y,
    );
    const mean = totals.reduce((sum, value) => sum + value, 0) / totals.length;
    const deviation = Math.sqrt(totals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (totals.length - 1));
    expect(history.mean).toBeCloseTo(mean, 8);
    expect(history.deviation).toBeCloseTo(deviation, 8);
    // The log begins ten days ago, and all 29 come again and again: they are there on the first days, and no more come after.
    expect(history.entitiesByDay).toHaveLength(10);
    expect(history.entitiesByDay.at(-1)).toBe(names.size);
    const first = Math.min(...rows.filter(({ entity }) => entity).map(({ atMs }) => atMs));
    const onFirst = rows.filter(({ entity, atMs }) => entity && atMs < first + DAY_MS);
    expect(history.entitiesByDay[0]).toBe(new Set(onFirst.map(({ entity }) => entity)).size);
    expect(entitiesBy(history, 0.5)).toBeCloseTo(history.entitiesByDay[0]! / 2, 8);
    expect(daysFor(history, history.entitiesByDay[0]!)).toBe(1);
    expect(entitiesBy(history, 30)).toBe(names.size);
    expect(daysFor(history, 1000)).toBe(Infinity);
    const growing = { ...history, entitiesByDay: [100, 150, 180] };
    expect([entitiesBy(growing, 5), daysFor(growing, 260)]).toEqual([260, 5]);
  });

  it('of no predictions is empty', async () => {
    const question = { model: 'x', metric: 'error_rate', kind: 'ratio' as const, heads: HEADS };
    const { arms, crossed } = await collectExperiment(database, {
      ...question,
      experimentId: 'none',
      since: SINCE,
      arms: ARMS,
      covariateDays: 0,
    });
    expect({ crossed, assigned: arms.map(({ assigned }) => assigned) }).toEqual({ crossed: 0, assigned: [0, 0] });
    const history = await describeHistory(database, { ...question, until: new Date(NOW), days: 28 });
    expect(history).toMatchObject({ entities: 0, mean: null, deviation: null });
  });
});

describe('an experiment that a person has stopped while its workflow was away', () => {
  beforeAll(async () => {
    const arms = ['a', 'b'].map((arm) => ({ arm, version: 'v1.0.0', digest: 'd', weight: 0.5, retired: false }));
    const data = {
      id: 'exp-stopped',
      model: 'm',
      control: 'a',
      arms,
      settings: {},
      plan: {},
      jobId: 'experiment-stopped',
      layer: 'm',
    };
    await database.prisma.experiment.create({ data: { ...data, state: 'running', firstBucket: 0, endBucket: 10_000 } });
    await closeExperiment(
      { experimentId: 'exp-stopped', state: 'stopped', reason: 'The experiment was stopped by a person.' },
      { database },
    );
  });

  it('is not judged any more', async () => {
    const open = { experimentId: 'exp-stopped', jobId: 'experiment-stopped', model: 'm', windowSeconds: 1 };
    await expect(
      evaluateExperiment({ ...open, onWinner: 'promote' as const, window: 1 }, { database }),
    ).rejects.toMatchObject({ code: 'experiment_conflict' });
  });

  it('has no winner, whatever its workflow has found', async () => {
    const late = { experimentId: 'exp-stopped', state: 'concluded' as const, reason: 'b is better.' };
    expect(await closeExperiment({ ...late, decision: 'winner', winner: 'b' }, { database })).toMatchObject({
      state: 'stopped',
      winner: null,
      winner_version: null,
    });
  });
});
