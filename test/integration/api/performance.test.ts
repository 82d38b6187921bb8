import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import { evaluateClassification } from '../../../ml/evaluate/metrics.js';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
  monitor: { performance: { segments: [plan], label_maturity_hours: 0, fairness: { groups: [plan] } } }
user_behavior: {}
`;
const PLANS = ['basic', 'plus', 'pro'];
const today = () => new Date().toISOString().slice(0, 10);

interface Estimate {
  value: number | null;
  lower: number | null;
  upper: number | null;
  rows: number;
}
interface Entry {
  version: string;
  segment: string;
  requests: number;
  labelled: number;
  label_coverage: number;
  heads: Record<
    string,
    Record<string, { realised: Estimate | null; estimated: Estimate | null; baseline: Estimate | null }>
  >;
}
interface Performance {
  versions: (Entry & { estimate_errors: Record<string, Record<string, { intervals: number }>> })[];
  series: (Entry & { start: string })[];
  progress: { hours_to_correct: number };
  note: string | null;
}
interface Answered {
  id: string;
  plan: string;
  label: string;
  stay: number;
  truth?: boolean;
}

let service: Service;
const prng = createPrng(9);
const answered: Answered[] = [];

async function predict(count: number): Promise<Answered[]> {
  const features = Array.from({ length: count }, () => ({
    usage: Math.round(prng.next() * 1000) / 10,
    plan: PLANS[Math.floor(prng.next() * 3)]!,
  }));
  const { body } = await service.post<{
    results: { prediction_id: string; predictions: { label: string; probabilities: { stay: number } } }[];
  }>('/predict/customers/batch', { instances: features.map((one, at) => ({ entity_id: `e${at}`, features: one })) });
  return body.results.map(({ prediction_id: id, predictions }, at) => ({
    id,
    plan: features[at]!.plan,
    label: predictions.label,
    stay: predictions.probabilities.stay,
  }));
}
const report = async (row: Answered, truth: boolean, observedAt: string) => {
  const outcome = { label: truth ? 'stay' : 'leave' };
  expect((await service.post(`/predictions/${row.id}/feedback`, { outcome, observed_at: observedAt })).status).toBe(
    200,
  );
};

const analytics = async <T>(path: string) => (await service.get<T>(`/analytics/${path}`)).body;
const performanceOf = (more = '') =>
  analytics<Performance>(`model-performance?model_type=customers&start_date=${today()}${more}`);

/** The metrics of rows with a truth, computed from the rows. */
function recompute(rows: readonly Answered[]) {
  const known = rows.filter(({ truth }) => truth !== undefined);
  return evaluateClassification({
    probabilities: Float64Array.from(known.flatMap(({ stay }) => [1 - stay, stay])),
    labels: Float64Array.from(known, ({ truth }) => Number(truth)),
    classes: 2,
    seed: 1,
  });
}
const labelledIs = (count: number) =>
  eventually(`${count} truths in the rollups`, async () => {
    const found = await performanceOf();
    return found.versions[0]?.labelled === count && found.progress.hours_to_correct === 0 ? found : undefined;
  });

describe('what a model answered and how well it came true', () => {
  beforeAll(async () => {
    // The worker that follows the log is killed the first time that it has summed up rows.
    const env = { NODE_ENV: 'test', FAILPOINT: 'follower:before-commit', PREDICTION_CACHE_TTL: '0' };
    service = await Service.start(MODELS, { AUTO_ML_ENABLED: 'false', ...env });
    service.file('customers.csv', learnableTable(2000));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  });
  afterAll(() => service?.stop());

  it('is an empty series that says so before there is anything, and refuses what makes no sense', async () => {
    const june = 'model_type=user_behavior&start_date=2024-06-01';
    for (const path of [
      `model-performance?${june}&end_date=2024-06-30`,
      `predictions?${june}`,
      `predictions?${june}&interval=hour`,
    ]) {
      const body = await analytics<{ series: unknown[]; note: string }>(path);
      expect(body.series).toEqual([]);
      expect(body.note).toContain('No prediction was made by user_behavior');
    }
    expect((await service.get('/analytics/predictions?model_type=nobody&start_date=2024-06-01')).status).toBe(404);
    for (const bad of [
      'start_date=2024-06-31',
      'start_date=june',
      'start_date=2024-06-02&end_date=2024-06-01',
      'interval=week',
      'from=1',
      'version=1',
    ])
      for (const name of ['predictions', 'model-performance'])
        expect((await service.get(`/analytics/${name}?model_type=customers&${bad}`)).status, bad).toBe(422);
    expect((await service.get('/analytics/predictions')).status).toBe(422);
  });

  it('counts every answer by day, hour, version and segment', async () => {
    answered.push(...(await predict(600)));
    const body = await eventually('600 answers', async () => {
      const found = await analytics<{
        totals: {
          requests: number;
          cached_share: number;
          latency_ms: { p50: number; p99: number };
          heads: Record<string, { class_shares: Record<string, number> }>;
        };
        series: { start: string; requests: number; versions: Record<string, number> }[];
        note: string | null;
      }>(`predictions?model_type=customers&start_date=${today()}`);
      return found.totals.requests === 600 ? found : undefined;
    });
    expect(body.note).toBeNull();
    expect(body.series.reduce((sum, { requests }) => sum + requests, 0)).toBe(600);
    expect(body.series[0]!.versions).toEqual({ 'v1.0.0': body.series[0]!.requests });
    const stays = answered.filter(({ label }) => label === 'stay').length / 600;
    expect(body.totals.heads['label']!.class_shares['stay']).toBeCloseTo(stays, 9);
    expect(body.totals.latency_ms.p50).toBeLessThanOrEqual(body.totals.latency_ms.p99);
    const plus = await analytics<{ totals: { requests: number } }>(
      `predictions?model_type=customers&start_date=${today()}&interval=hour&segment=plan%3Dplus`,
    );
    expect(plus.totals.requests).toBe(answered.filter(({ plan }) => plan === 'plus').length);
  });

  it('has the metrics of the rows with a truth, recomputed, through late and corrected truths', async () => {
    const known = answered.slice(0, 300);
    for (const row of known) row.truth = prng.next() < row.stay;
    // Every fifth is first reported wrong.
    const isWrong = (at: number) => at % 5 === 0;
    await Promise.all(known.map((row, at) => report(row, row.truth !== isWrong(at), '2026-01-01T00:00:00Z')));
    await labelledIs(300);
    const wrong = known.filter((_, at) => isWrong(at));
    await Promise.all(wrong.map((row) => report(row, row.truth!, '2026-01-02T00:00:00Z')));
    const expected = recompute(answered);
    const own = await eventually('the corrections in the rollups', async () => {
      const { versions, progress } = await performanceOf();
      const brier = versions[0]!.heads['label']!['brier']!.realised!.value!;
      return progress.hours_to_correct === 0 && Math.abs(brier - expected['brier']!.value!) < 1e-9
        ? versions[0]!
        : undefined;
    });
    expect(own).toMatchObject({ requests: 600, labelled: 300, label_coverage: 0.5, version: 'v1.0.0' });
    const { accuracy, log_loss: loss, roc_auc: area } = own.heads['label']!;
    expect(accuracy!.realised!.value).toBeCloseTo(expected['accuracy']!.value!, 9);
    expect(accuracy!.realised!.lower).toBeCloseTo(expected['accuracy']!.lower!, 9);
    expect(loss!.realised!.value).toBeCloseTo(expected['log_loss']!.value!, 6);
    expect(area!.realised!.value).toBeCloseTo(expected['roc_auc']!.value!, 2);
    expect(accuracy!.estimated).toMatchObject({ rows: 600, method: 'confidence_based' });
    expect(Math.abs(accuracy!.estimated!.value! - accuracy!.realised!.value!)).toBeLessThan(0.06);
    expect(accuracy!.baseline!.rows).toBeGreaterThan(100);
    const plans = await performanceOf('&segment=plan');
    const pro = plans.versions.find(({ segment }) => segment === 'plan=pro')!;
    const exact = recompute(answered.filter(({ plan }) => plan === 'pro'));
    expect(pro.heads['label']!['accuracy']!.realised!.value).toBeCloseTo(exact['accuracy']!.value!, 9);
  });

  it('tells of a burst within seconds, once, and of its end', async () => {
    const features = () => ({ plan: PLANS[Math.floor(prng.next() * 3)]! });
    const send = (count: number, one: () => object) =>
      service.post('/predict/customers/batch', {
        instances: Array.from({ length: count }, () => ({ features: one() })),
      });
    const told = async () =>
      (
        await service.get<{ items: { subject: string; state: string; summary: string; monitor: string }[] }>(
          '/monitors/customers/findings?monitor=stream',
        )
      ).body.items.filter(({ subject }) => subject === 'stream:missing:usage');
    expect(await told()).toEqual([]);
    const sentMs = Date.now();
    await send(150, features);
    const alarm = await eventually('the alarm', async () => (await told()).find(({ state }) => state === 'alarm'));
    expect(Date.now() - sentMs, 'busy machines take longer').toBeLessThan(30_000);
    expect(alarm.monitor).toBe('stream');
    expect(alarm.summary).toContain('Many requests without usage');
    await send(1000, () => ({ ...features(), usage: Math.round(prng.next() * 1000) / 10 }));
    await eventually('the end', async () => (await told()).find(({ state }) => state === 'ok'));
    expect((await told()).map(({ state }) => state)).toEqual(['ok', 'alarm']);
  });

  it('judges the windows that are over, the same when it is asked again', async () => {
    await service.query(
      `SELECT prepare_prediction_partition((now() - interval '2 days')::date), prepare_prediction_partition((now() - interval '1 day')::date)`,
    );
    await service.query(
      `INSERT INTO predictions (id, model, version, features, predictions, latency_us, correlation_id, created_at)
       SELECT 'old_' || id, model, version, features, predictions, latency_us, 'c', date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 hour'
       FROM predictions WHERE id = ANY($1)`,
      [answered.map(({ id }) => id)],
    );
    // All answers are wrong.
    await service.query(
      `INSERT INTO prediction_outcomes (prediction_id, observed_at, outcome) SELECT id, now(),
         jsonb_build_object('label', CASE predictions->>'label' WHEN 'stay' THEN 'leave' ELSE 'stay' END) FROM predictions WHERE id LIKE 'old_%'`,
    );
    await eventually('the day before in the rollups', async () => {
      const { body } = await service.get<Performance>('/analytics/model-performance?model_type=customers');
      return body.series.some(({ labelled }) => labelled === 600) ? body : undefined;
    });
    const result = await service.run('/monitors/customers/run');
    expect(result['performance']).toMatchObject({ version: 'v1.0.0' });
    const find = async () =>
      (
        await service.get<{
          items: { id: string; subject: string; segment: string; state: string; evidence: object }[];
        }>('/monitors/customers/findings?monitor=performance&limit=200')
      ).body.items;
    const found = await find();
    expect(found.find(({ subject, segment }) => subject === 'metric:label.accuracy' && segment === '')).toMatchObject({
      state: 'alarm',
      severity: 'high',
      evidence: { reference: { kind: 'holdout' }, advice: 'roll_back' },
    });
    expect(found.filter(({ subject }) => subject.startsWith('fairness:label.')).length).toBeGreaterThan(0);
    expect(found.find(({ segment }) => segment === 'plan=pro')).toBeDefined();
    expect(found.some(({ subject }) => subject.startsWith('estimate:label.'))).toBe(true);
    await service.run('/monitors/customers/run');
    expect((await find()).map(({ id }) => id).toSorted()).toEqual(found.map(({ id }) => id).toSorted());
  });
});
