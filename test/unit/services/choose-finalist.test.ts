import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { chooseFinalist, settlePlan, type FitEntrant } from '../../../services/kinds/tabular/choose-finalist.js';
import { fitHead } from '../../../services/kinds/tabular/fit-head.js';
import { createMembership, headInput } from '../../../services/kinds/tabular/fit-model.js';
import { reserveRows } from '../../../services/kinds/tabular/reserve-rows.js';
import type { TrainingTable } from '../../../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../../../services/training/training-plan.js';

/** Two classes that a straight line tells apart but for chance; every entity has two rows. */
function setUp(rows: number, { isInTime = false } = {}) {
  const prng = createPrng(rows, 7);
  const features = ['a', 'b'].map((name) => ({ name, values: Array.from({ length: rows }, () => prng.next()) }));
  const [a, b] = features;
  const y = Float64Array.from({ length: rows }, (_, row) =>
    Number(prng.next() < 1 / (1 + Math.exp(-8 * (a!.values[row]! + b!.values[row]! - 1)))),
  );
  const head = { name: 'label', column: 'label', task: 'multiclass' } as const;
  const table: TrainingTable = {
    rows,
    features,
    groups: Int32Array.from({ length: rows }, (_, row) => row >> 1),
    units: Float64Array.from({ length: rows }, (_, row) => row >> 1),
    targets: [{ head, y, classes: ['no', 'yes'] }],
    isHeldOut: Uint8Array.from({ length: rows }, (_, row) => Number(isInTime ? row >= 0.8 * rows : row % 10 < 2)),
    isInTime,
  };
  const plan = (defaults: object, finalists: object[]) =>
    ({
      kind: 'classification',
      seed: 1,
      heads: [head],
      settings: { split: 'random' },
      algorithm: 'random_forest',
      hyperparameters: {},
      sweep: { sweep_id: 'sweep-1', defaults, finalists },
    }) as unknown as TrainingPlan;
  const seen = new Set<number>();
  const fit: FitEntrant = (own, _name, { encoder, rows: learnt, x }) => {
    const input = headInput(own, table, encoder, x, table.targets[0]!, createMembership(rows, learnt));
    input.rows.forEach((row) => seen.add(row));
    return Promise.resolve([fitHead({ ...input, onProgress: () => undefined })]);
  };
  return { table, plan, fit, seen };
}
const line = { algorithm: 'linear', hyperparameters: { l2_regularization: 0.01 } };
const stump = { algorithm: 'gradient_boosting', hyperparameters: { n_estimators: 1, learning_rate: 0.001 } };
const finalist = (trial: number, { algorithm, hyperparameters }: typeof line | typeof stump, loss: number) => ({
  trial,
  configuration: { algorithm, ...hyperparameters },
  loss,
});

describe('the rows that are kept from a search', () => {
  it('are a fifth of the training rows, with all rows of an entity, and the same each time', () => {
    const { table } = setUp(1000);
    const kept = reserveRows(table, 5);
    expect(reserveRows(table, 5)).toEqual(kept);
    expect(kept.reduce((a, b) => a + b, 0) / 800).toBeCloseTo(0.2, 1);
    kept.forEach((isKept, row) => {
      expect(isKept && table.isHeldOut[row]).toBeFalsy();
      const pair = row ^ 1;
      expect(kept[pair]).toBe(isKept);
    });
  });

  it('are the latest of a table in order of time, and none of a small one', () => {
    const { table } = setUp(1000, { isInTime: true });
    expect([...reserveRows(table, 5)].flatMap((kept, row) => (kept ? [row] : []))).toEqual(
      Array.from({ length: 160 }, (_, at) => 640 + at),
    );
    expect(reserveRows(setUp(100).table, 5)).not.toContain(1);
  });
});

describe('the choice among the finalists of a search', () => {
  it('takes what does best on rows that no trial has seen, and says how far the search flattered its best', async () => {
    const { table, plan, fit, seen } = setUp(1000);
    // Trial 3 did best in the search by luck.
    const own = plan(stump, [finalist(3, stump, 0.2), finalist(8, line, 0.5)]);
    const verdict = (await chooseFinalist(own, table, fit, () => undefined))!;
    const kept = reserveRows(table, 1);
    expect([...seen].some((row) => kept[row] === 1 || table.isHeldOut[row] === 1)).toBe(false);
    expect(verdict.chosen).toBe('trial 8');
    expect(verdict.fresh_rows).toBe(kept.reduce((a, b) => a + b, 0));
    expect(verdict.optimism).toBeGreaterThan(0.5);
    expect(verdict.over_defaults!.lower).toBeGreaterThan(0);
    expect(verdict.reason).toContain('better than the defaults by more than chance');
    expect(verdict.entrants.map(({ name }) => name)).toContain('no model');
    expect(settlePlan(own, verdict)).toMatchObject({
      algorithm: 'linear',
      hyperparameters: { l2_regularization: 0.01 },
    });
  });

  it('keeps what is fitted without a search where no finalist is better', async () => {
    const { table, plan, fit } = setUp(1000);
    const own = plan(line, [finalist(0, stump, 0.1)]);
    const verdict = (await chooseFinalist(own, table, fit, () => undefined))!;
    expect(verdict.chosen).toBe('defaults');
    expect(verdict.over_defaults).toBeNull();
    expect(settlePlan(own, verdict)).toMatchObject(line);
  });

  it('takes the best of the search where there are too few rows to keep some', async () => {
    const { table, plan, fit } = setUp(100);
    const own = plan(line, [finalist(4, stump, 0.1)]);
    const verdict = (await chooseFinalist(own, table, fit, () => undefined))!;
    expect(verdict).toMatchObject({ chosen: 'trial 4', fresh_rows: 0, optimism: null });
    expect(settlePlan(own, verdict)).toMatchObject(stump);
  });

  it('does nothing without a search', async () => {
    const { table, plan, fit } = setUp(100);
    const own = { ...plan(line, []), sweep: undefined };
    expect(await chooseFinalist(own, table, fit, () => undefined)).toBeUndefined();
    expect(settlePlan(own, undefined)).toBe(own);
  });
});
