import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forecastSettingsSchema } from '../../core/kinds/resource-usage.js';
import { recommendSettingsSchema } from '../../core/kinds/recommendation.js';
import { createRandomSampler } from '../../ml/search/random-sampler.js';
import { parseSearchSpace, type Configuration } from '../../ml/search/search-space.js';
import { withDuckDb } from '../../services/duckdb.js';
import type { SharedNumbers, TrialContext } from '../../services/kinds/recipe.js';
import { NumbersFolder } from '../../services/search/numbers-folder.js';
import { RECIPES } from '../../services/kinds/recipes.js';
import { STAGED, type TrainingPlan } from '../../services/training/training-plan.js';

/** A search on a small table, as the steps before it stage it. */
interface Case {
  table: string;
  plan: Pick<TrainingPlan, 'kind' | 'algorithm'> & Partial<TrainingPlan>;
}

const NOISE = (of: string) => `((hash(${of}) % 1000) / 1000.0 - 0.5)`;
const CASES: Record<string, Case> = {
  'a table': {
    table: `SELECT CAST(i AS VARCHAR) AS _group, ${NOISE('i')} AS a, ${NOISE('i + 7777')} AS b,
      CASE WHEN ${NOISE('i')} + 0.2 * ${NOISE('i + 99')} > 0 THEN 'yes' ELSE 'no' END AS outcome FROM range(300) t(i)`,
    plan: {
      kind: 'classification',
      algorithm: 'random_forest',
      features: ['a', 'b'],
      heads: [{ name: 'outcome', column: 'outcome', task: 'binary' }] as unknown as TrainingPlan['heads'],
      settings: { split: 'random' },
    },
  },
  forecasts: {
    table: `SELECT 'all' AS _series, CAST(i * 3600000 AS BIGINT) AS _time,
      0.5 + 0.3 * sin(2 * pi() * i / 12) + 0.1 * ${NOISE('i')} AS _value0 FROM range(240) t(i)`,
    plan: {
      kind: 'resource_usage',
      algorithm: 'forecast_combination',
      settings: forecastSettingsSchema.parse({
        time: 'at',
        series: null,
        measures: { cpu: {} },
        horizon: 6,
        seasons: [12],
        origins: 12,
      }),
    },
  },
  recommendations: {
    table: `SELECT 'u' || u AS user, 'i' || (2 * (hash(u * 100 + k) % 12) + u % 2) AS item,
      CAST(u + 100 * k AS DOUBLE) AS time, CAST(1 AS DOUBLE) AS weight FROM range(60) t(u), range(8) s(k)`,
    plan: { kind: 'recommendation', algorithm: 'auto', settings: recommendSettingsSchema.parse({ attributes: [] }) },
  },
  detectors: {
    table: `SELECT CASE WHEN i % 10 = 0 THEN 'leak' END AS _label, NULL AS _entity, NULL AS _time,
      CASE WHEN i % 10 = 0 THEN 4.0 ELSE 0 END + ${NOISE('i')} AS heat, ${NOISE('i + 31')} AS noise FROM range(400) t(i)`,
    plan: {
      kind: 'anomaly_detection',
      algorithm: 'isolation_forest',
      features: ['heat', 'noise'],
      settings: { label: 'fault' },
    },
  },
};

const planOf = ({ plan }: Case): TrainingPlan => ({
  jobId: 'train-contract',
  model: 'contract',
  hyperparameters: { seed: 3 },
  seed: 3,
  warnings: [],
  heads: [],
  features: [],
  settings: {},
  datasetId: 'ds_contract',
  datasetDigest: '0',
  filters: {},
  validationSplit: 0.2,
  crossValidation: false,
  autoDeploy: false,
  fitTimeoutSeconds: 60,
  codeVersion: 'v0.0.0',
  ...plan,
});

describe.each(Object.entries(CASES))('the search of %s', (_name, one) => {
  const plan = planOf(one);
  const search = RECIPES[plan.kind].search!;
  const space = parseSearchSpace(search.defaultSpace(plan));
  const draws = Array.from({ length: 12 }, (_, index) =>
    createRandomSampler(space).suggest({ history: [], index, seed: 5 }),
  );
  let staging: string;
  beforeAll(async () => {
    staging = mkdtempSync(join(tmpdir(), 'mlops-contract-'));
    await withDuckDb((connection) =>
      connection.run(`COPY (${one.table}) TO '${join(staging, STAGED.table)}' (FORMAT parquet)`),
    );
  });
  afterAll(() => rmSync(staging, { recursive: true, force: true }));

  /** Runs a trial, and gives what it told on its way. */
  async function run(
    configuration: Configuration,
    decide: TrialContext['report'] = () => 'continue',
    shared?: SharedNumbers,
  ) {
    const curve: [resource: number, loss: number][] = [];
    const trials = await search.openTrials(plan, staging, shared);
    const result = await trials.run(configuration, {
      seed: plan.seed,
      report(resource, loss) {
        curve.push([resource, loss]);
        return decide(resource, loss);
      },
    });
    return { result, curve };
  }

  it('draws from a space of its own that it can use', () => {
    expect(search.checkSpace(space, plan)).toEqual([]);
    for (const configuration of draws) expect(search.apply(plan, configuration).kind).toBe(plan.kind);
    expect(search.metrics(plan)['loss']).toEqual({ better: 'lower', isQuality: true });
  });

  it('has a curve that rises to its end and ends at the loss, and is better than no model', async () => {
    const { result, curve } = await run(draws[0]!);
    const steps = curve.map(([resource]) => resource);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps[0]).toBeGreaterThanOrEqual(search.resource.least);
    expect(steps.at(-1)).toBe(search.resource.most);
    expect(curve.at(-1)![1]).toBeCloseTo(result!.metrics['loss']!, 12);
    expect(result!.metrics['loss']).toBeLessThan(1);
    // Whatever can be an objective is measured.
    expect(Object.keys(result!.metrics)).toEqual(expect.arrayContaining(Object.keys(search.metrics(plan))));
  });

  it('comes to the same figures again', async () => {
    const alone = await run(draws[1]!);
    expect(await run(draws[1]!)).toEqual(alone);
    // Beside another process, which has left its numbers.
    const numbers = new NumbersFolder(staging);
    for (let process = 0; process < 2; process++) expect(await run(draws[1]!, undefined, numbers)).toEqual(alone);
  });

  it('ends where a pruner says so', async () => {
    const { result, curve } = await run(draws[0]!, () => 'prune');
    expect(result).toBeUndefined();
    expect(curve).toHaveLength(1);
  });

  it('refuses a space that names what it does not have', () => {
    const other = parseSearchSpace({ colour: { type: 'int', low: 1, high: 2 } });
    expect(search.checkSpace(other, plan).length).toBeGreaterThan(0);
  });
});
