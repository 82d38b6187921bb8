import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan, spend]
  monitor: { every_hours: 6, owner: growth team }
idle: { kind: classification, source: customers, target: outcome }
`;

interface MonitorBody {
  settings: { enabled: boolean; every_hours: number; owner?: string };
  declared_in: string;
  updated_by: string | null;
  next_run: string | null;
  last_run: { job_id: string; status: string } | null;
  findings: { window_end: string; states: Record<string, number> } | null;
}

let service: Service;
const monitorOf = async (model: string) => (await service.get<MonitorBody>(`/monitors/${model}`)).body;
const put = (model: string, body: unknown) => service.call<MonitorBody>('PUT', `/monitors/${model}`, body);

interface Row {
  usage: number;
  plan: string;
  spend: number;
}
interface FindingBody {
  subject: string;
  segment: string;
  state: string;
  value: number;
  threshold: number;
  summary: string;
  evidence: Record<string, unknown>;
}

const ROWS = 600;
const HOUR_MS = 3_600_000;
/** Midnight, two days ago: windows are whole hours after it. */
const START_MS = Math.floor(Date.now() / 86_400_000 - 2) * 86_400_000;
const endOf = (window: number) => new Date(START_MS + window * HOUR_MS).toISOString();

/** Real answers, as if they had been given within a window. */
async function predictIn(window: number, change: (row: Row, at: number) => Row): Promise<void> {
  const lines = learnableTable(ROWS, 100 + window)
    .trim()
    .split('\n')
    .slice(1);
  const instances = lines.map((line, at) => {
    const [entity, usage, plan, , , spend] = line.split(',');
    return { entity_id: entity, features: change({ usage: Number(usage), plan: plan!, spend: Number(spend) }, at) };
  });
  const answer = await service.post<{ results: { prediction_id: string }[] }>('/predict/customers/batch', {
    instances,
  });
  expect(answer.status, answer.text).toBe(200);
  const ids = answer.body.results.map(({ prediction_id: id }) => id);
  const stored = 'SELECT count(*)::int AS n FROM predictions WHERE id = ANY($1)';
  await eventually('the log', async () => {
    const [found] = await service.query<{ n: number }>(stored, [ids]);
    return found!.n === ROWS ? true : undefined;
  });
  await service.query('SELECT prepare_prediction_partition($1::date)', [endOf(0).slice(0, 10)]);
  await service.query(
    "UPDATE predictions SET created_at = $2::timestamptz - interval '20 minutes' WHERE id = ANY($1)",
    [ids, endOf(window)],
  );
}

const runAt = (window: number) => service.run('/monitors/customers/run', { window_end: endOf(window) });
async function findingsAt(window: number): Promise<FindingBody[]> {
  const to = new Date(Date.parse(endOf(window)) + 1).toISOString();
  const query = `limit=500&from=${endOf(window)}&to=${to}`;
  const found = await service.get<{ items: FindingBody[]; next_cursor: string | null }>(
    `/monitors/customers/findings?${query}`,
  );
  expect(found.body.next_cursor).toBeNull();
  return found.body.items;
}
async function findingOf(window: number, subject: string): Promise<FindingBody> {
  const found = (await findingsAt(window)).find((one) => one.subject === subject && one.segment === '');
  expect(found, `a finding of ${subject}`).toBeDefined();
  return found!;
}

describe('the monitors of a model', () => {
  beforeAll(async () => {
    service = await Service.start(MODELS, { NODE_ENV: 'test', FAILPOINT: 'monitor:after-findings' });
    service.file('customers.csv', learnableTable(2000));
    await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
    await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
    await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  });
  afterAll(() => service?.stop());

  it('follow the models file until someone sets them, and never both', async () => {
    expect(await monitorOf('customers')).toMatchObject({
      settings: { enabled: true, every_hours: 6, owner: 'growth team' },
      declared_in: 'config',
      updated_by: null,
      last_run: null,
      findings: null,
    });
    expect(await monitorOf('idle')).toMatchObject({ declared_in: 'default', next_run: null });
    const set = await put('customers', { every_hours: 2, drift: { least_rows: 100 } });
    expect(set.body).toMatchObject({ settings: { every_hours: 2 }, declared_in: 'api', updated_by: 'local' });
    expect(set.body.settings.owner, 'what is left out has its default').toBeUndefined();
  });

  it('run by a schedule that is made, changed and ended with the settings', async () => {
    const next = Date.parse((await monitorOf('customers')).next_run!);
    const sinceEnd = (next / 1000) % 7200;
    expect(sinceEnd, 'five minutes after a whole multiple of two hours, and at most five more').toBeGreaterThanOrEqual(
      300,
    );
    expect(sinceEnd).toBeLessThanOrEqual(600);
    const again = await put('customers', { every_hours: 2, drift: { least_rows: 100 } });
    expect(again.status).toBe(200);
    expect((await put('customers', { enabled: false })).body.next_run).toBeNull();
    expect((await put('customers', { every_hours: 1, drift: { least_rows: 100 } })).body.next_run).not.toBeNull();
  });

  it('refuse what they cannot follow, with its path', async () => {
    const bad = await put('customers', { every_hours: 0, drift: { windw: 3 } });
    expect(bad.status).toBe(422);
    expect(JSON.stringify(bad.body)).toMatch(/every_hours.*drift\.windw|drift\.windw.*every_hours/);
    expect((await service.get('/monitors/nobody')).status).toBe(404);
    expect((await service.post('/monitors/customers/run', { window_end: 'soon' })).status).toBe(422);
    const future = await service.post('/monitors/customers/run', { window_end: '2999-01-01T00:00:00Z' });
    expect(future.body).toMatchObject({ errors: [{ path: 'window_end' }] });
    expect((await service.get('/monitors/customers/findings?state=bad')).status).toBe(422);
    expect((await service.get('/monitors/customers/findings?cursor=none')).status).toBe(422);
  });

  it('find which columns drifted, each once through the death of a worker, and say what it is and what to do', async () => {
    await put('customers', { every_hours: 1, drift: { window_hours: 1, least_rows: 100, segments: ['plan'] } });
    await predictIn(1, (row) => row);
    expect(await runAt(1)).toMatchObject({ drift: { version: 'v1.0.0', rows: ROWS, reference: 'training' } });
    const clean = await findingsAt(1);
    expect(clean.filter(({ state }) => state === 'alarm' || state === 'suspect')).toEqual([]);
    expect(clean.find(({ subject, segment }) => subject === 'input:usage' && segment === '')).toMatchObject({
      state: 'ok',
      evidence: { reference: { kind: 'training' }, tests: [{ test: 'kolmogorov_smirnov' }] },
    });
    const subjects = clean.map(({ subject, segment }) => `${subject} ${segment}`);
    expect(new Set(subjects).size, 'a worker died after it had written them, and wrote them again').toBe(
      subjects.length,
    );
    expect(subjects).toEqual(
      expect.arrayContaining(['input:plan ', 'prediction:label ', 'inputs ', 'schema ', 'input:spend plan=pro']),
    );

    const shift = ({ usage, plan, spend }: Row, at: number): Row => ({
      usage: usage * 1000,
      plan: at % 3 === 0 ? 'gold' : plan,
      spend,
    });
    await predictIn(2, shift);
    await predictIn(3, shift);
    expect(await runAt(2)).toMatchObject({ drift: { findings: { alarm: 0 } } });
    expect(await findingOf(2, 'input:usage')).toMatchObject({ state: 'suspect', severity: 'none' });
    await runAt(3);
    const usage = await findingOf(3, 'input:usage');
    expect(usage).toMatchObject({
      state: 'alarm',
      severity: 'high',
      evidence: { triage: { cause: 'unit_change', factor: 1000 }, advice: 'fix_upstream', season: 'not_known' },
    });
    expect(usage.summary).toMatch(/usage: .*upwards.*2 of the last 3 windows.*times what they were.*mended/);
    expect(usage.value).toBeGreaterThan(usage.threshold);
    expect((await findingOf(3, 'input:plan')).evidence).toMatchObject({
      triage: { cause: 'new_category', values: ['gold'] },
      advice: 'retrain',
    });
    expect((await findingOf(3, 'input:spend')).state).toBe('ok');
    expect((await monitorOf('customers')).findings?.states['alarm']).toBeGreaterThanOrEqual(2);
  });

  it('show their series by day and hour, with days that are whole and included, chances apart from distances', async () => {
    const date = endOf(0).slice(0, 10);
    interface Drift {
      columns: { subject: string; alarms: number; series: { at: string; state: string; cause: string | null }[] }[];
    }
    const drift = (query: string) =>
      service.get<Drift>(`/analytics/drift?model_type=customers&start_date=${date}&${query}`);
    const hours = await drift(`end_date=${date}&interval=hour`);
    const usage = hours.body.columns.find(({ subject }) => subject === 'input:usage')!;
    expect(usage).toMatchObject({
      alarms: 1,
      series: [
        { at: endOf(0), state: 'ok', cause: null, tests: [{ test: 'kolmogorov_smirnov' }] },
        { at: endOf(1), state: 'suspect' },
        { at: endOf(2), state: 'alarm', cause: 'unit_change', effects: [{ measure: 'wasserstein_per_deviation' }] },
      ],
    });
    const days = await drift('interval=day');
    const all = days.body.columns.find(({ subject }) => subject === 'input:usage')!;
    expect(all.series, 'the worst of the day').toMatchObject([{ at: endOf(0), state: 'alarm' }]);
    const before = new Date(START_MS - 86_400_000).toISOString().slice(0, 10);
    const none = await service.get<Drift>(
      `/analytics/drift?model_type=customers&start_date=${before}&end_date=${before}`,
    );
    expect(none.body.columns).toEqual([]);
    const segment = await drift('segment=plan');
    expect(segment.body.columns.length).toBeGreaterThan(0);
    expect((await service.get('/analytics/drift?model_type=nobody')).status).toBe(404);
    expect((await drift('end_date=2001-01-01')).status).toBe(422);
  });

  it('tell the state of the data, as it was ingested and as it was sent', async () => {
    interface Quality {
      newest_dataset: { rows: number };
      datasets: { at: string; datasets: number; age_hours: number | null }[];
      requests: { at: string; rows: number; out_of_range: { column: string; above: number }[] }[];
    }
    const date = endOf(0).slice(0, 10);
    const { body } = await service.get<Quality>(`/analytics/data-quality?model_type=customers&start_date=${date}`);
    expect(body.newest_dataset).toMatchObject({ rows: 2000, quarantined_rows: 0, report: null });
    expect(body.datasets.at(0)).toMatchObject({ at: endOf(0), datasets: 0, age_hours: null });
    expect(body.datasets.reduce((sum, { datasets }) => sum + datasets, 0)).toBe(1);
    expect(body.datasets.at(-1)!.age_hours).toBeLessThan(1);
    const [sent] = body.requests;
    expect(sent).toMatchObject({ at: endOf(0), rows: ROWS, violations: [] });
    expect(sent!.out_of_range.find(({ column }) => column === 'usage')!.above).toBeGreaterThan(0.9);
  });

  it('do not call a window fine that has too few rows', async () => {
    expect(await runAt(9)).toMatchObject({ drift: { rows: 0, findings: { ok: 0, unknown: 1 } } });
    expect((await findingOf(9, 'inputs')).summary).toContain('fewer than 100');
    const other = await service.run('/monitors/idle/run');
    expect(other).toMatchObject({ drift: { version: null, findings: { unknown: 1 } } });
  });

  it('can be started from the command line, by the rules of the API', async () => {
    const temporal = await service.temporal();
    const start = (workflowId: string, input: unknown) =>
      temporal.workflow.start('monitorModel', { taskQueue: 'pipeline', workflowId, args: [input] });
    const handle = await start('monitor-by-hand', { model: 'customers', window_end: '2024-01-01T00:00:00Z' });
    expect(await handle.result()).toMatchObject({ model: 'customers', window_end: '2024-01-01T00:00:00.000Z' });
    await start('monitor-badly', { model: 'customers', every: 3 });
    expect((await service.ended('monitor-badly')).error).toMatchObject({ code: 'request_invalid' });
    const last = await eventually('the run', async () => (await monitorOf('customers')).last_run ?? undefined);
    expect(last.job_id).toMatch(/^monitor-/);
  });
});
