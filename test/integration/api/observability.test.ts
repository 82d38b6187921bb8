import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DASHBOARDS } from '../../../infra/grafana/all-dashboards.js';
import type { Health } from '../../../services/health/health-monitor.js';
import { ApiProcesses } from '../../support/api-processes.js';
import { hasPrometheus, promtool, PrometheusServer } from '../../support/prometheus-server.js';
import { TraceReceiver, type ReceivedSpan } from '../../support/trace-receiver.js';
import { eventually, Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `
customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;
const DATA_TYPES = `
customers: { columns: { customer: { type: string, required: true }, usage: { type: number, required: true } } }
`;
const TRAIN = { model_type: 'customers', hyperparameters: { n_estimators: 5, max_depth: 3 } };
/** What must never be read in a log. */
const SECRETS = { person: 'ada-lovelace-1815', plan: 'canary-plan-77', password: 'canary-password-99' };
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

let service: Service;
let traces: TraceReceiver;
let prometheus: PrometheusServer | undefined;

/** A bit of all that the service does. */
async function load(isFirst: boolean): Promise<void> {
  service.file('customers.csv', `${learnableTable(300)}c-bad,,pro,2024-01-01,stay,1,a\n`);
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  const { version } = await service.run('/models/train', TRAIN);
  if (isFirst) await service.run('/models/customers/deploy', { version, allow_unpromotable: true });
  for (let call = 0; call < 20; call++) {
    const features = { usage: call, plan: SECRETS.plan };
    const { body } = await service.post('/predict/customers', { entity_id: SECRETS.person, features });
    if (call % 10 === 0)
      await service.post(`/predictions/${String(body['prediction_id'])}/feedback`, { outcome: { label: 'stay' } });
  }
}

beforeAll(async () => {
  traces = await TraceReceiver.start();
  service = await Service.start(
    MODELS,
    { API_WORKERS: '2', OTEL_EXPORTER_OTLP_ENDPOINT: traces.url, LOG_LEVEL: 'WARN', PREDICTION_CACHE_TTL: '60' },
    DATA_TYPES,
  );
});
afterAll(async () => {
  await prometheus?.stop();
  await service?.stop();
  await traces?.stop();
});

const logOf = (part: 'api' | 'pipeline-worker' | 'training-worker') =>
  readFileSync(service.stack.logFile(part), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the level of the log', () => {
  it('is changed for a time in all API processes at once, and in the workers within seconds', async () => {
    expect((await service.get('/operate/log-level')).body).toEqual({
      level: 'WARN',
      configured_level: 'WARN',
      until: null,
    });
    const { body, status } = await service.call('PUT', '/operate/log-level', { level: 'DEBUG', seconds: 600 });
    expect([status, body['level'], body['configured_level']]).toEqual([200, 'DEBUG', 'WARN']);
    const minutes = (Date.parse(String(body['until'])) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(9);
    expect(minutes).toBeLessThanOrEqual(10);
    const changed = (part: 'api' | 'pipeline-worker' | 'training-worker') =>
      new Set(logOf(part).flatMap(({ level_now: now, seconds, pid }) => (now === 'DEBUG' && !seconds ? [pid] : [])))
        .size;
    await eventually('the level of all processes', async () =>
      changed('api') === 2 && changed('pipeline-worker') === 1 && changed('training-worker') === 1 ? true : undefined,
    );
  });

  it.each([
    [{ level: 'LOUD' }, 'level'],
    [{ level: 'DEBUG', seconds: 0 }, 'seconds'],
    [{ level: 'DEBUG', seconds: 86_401 }, 'seconds'],
    [{ level: 'DEBUG', minutes: 1 }, 'minutes'],
    [{}, 'level'],
  ])('%j is refused with its path', async (wrong, path) => {
    const { status, body } = await service.call<ProblemBody>('PUT', '/operate/log-level', wrong);
    expect([status, body.errors?.map((error) => error.path)]).toEqual([422, [path]]);
  });
});

describe('under a bit of load', () => {
  beforeAll(async () => {
    await load(true);
    if (hasPrometheus()) prometheus = await PrometheusServer.start(service.stack.api);
    // Once more, so that Prometheus sees numbers grow.
    await load(false);
    const scrapes = 'count_over_time(up[5m])';
    const before = Number((await prometheus?.query(scrapes))?.[0]?.value[1]);
    await eventually('two scrapes after the load', async () =>
      !prometheus || Number((await prometheus.query(scrapes))[0]?.value[1]) >= before + 2 ? true : undefined,
    );
  });

  it('/metrics has what all processes know, in both formats', async () => {
    const { text, headers } = await service.get('/metrics');
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const sample of [
      /^mlops_predictions_total\{model="customers",version="v1\.0\.0",cached="(true|false)"\} [1-9]/m,
      /^mlops_outcomes_stored_total\{model="customers"\} [1-9]/m,
      /^mlops_activities_total\{activity="registerVersion",outcome="completed"\} 2$/m,
      /^mlops_jobs_ended_total\{type="train",status="completed"\} 2$/m,
      /^mlops_training_duration_seconds_count\{model="customers"\} 2$/m,
      /^mlops_jobs\{type="deploy",status="completed"\} 1$/m,
      /^mlops_dataset_quarantined_rows\{data_type="customers"\} [1-9]/m,
      /^mlops_deployments\{model="customers",strategy="immediate",state="promoted"\} 1$/m,
      /^mlops_model_versions\{model="customers",stage="\w+"\} 1$/m,
      /^mlops_task_queue_pollers\{queue="training",kind="activity"\} [1-9]/m,
      /^process_cpu_seconds_total\{component="training-worker"\} /m,
      /^temporal_worker_task_slots_available\{.*task_queue="pipeline".*worker_type="ActivityWorker"/m,
      /^temporal_activity_execution_latency_seconds_bucket\{/m,
    ])
      expect(text).toMatch(sample);
    const open = await fetch(`${service.stack.api}/metrics`, { headers: { accept: OPEN_METRICS } });
    expect(open.headers.get('content-type')).toBe(OPEN_METRICS);
    expect(await open.text()).toMatch(
      /^mlops_http_request_duration_seconds_bucket\{le="[\d.]+",.*\} \d+ # \{trace_id="[0-9a-f]{32}"\} [\d.e-]+ [\d.]+$/m,
    );
    if (hasPrometheus())
      expect(() =>
        promtool(['check', 'metrics'], text.replaceAll(/^.*nodejs_active_\w+_total.*\n/gm, '')),
      ).not.toThrow();
  });

  it.skipIf(!hasPrometheus())('every panel of the dashboards shows something, asked of a real Prometheus', async () => {
    const queries = DASHBOARDS.flatMap(({ title, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap((panel) => panel.queries.map(({ expr }) => [title, panel.title, expr])),
      ),
    );
    const empty: string[] = [];
    for (const [dashboard, panel, expr] of queries) {
      const now = expr!.replaceAll('$__rate_interval', '1m').replaceAll('$model', '.*');
      const series = await prometheus!.query(now);
      if (!series.some(({ value }) => Number.isFinite(Number(value[1])))) empty.push(`${dashboard}: ${panel}: ${expr}`);
    }
    expect(empty).toEqual([]);
  });

  it.skipIf(!hasPrometheus())(
    'Prometheus has the exemplars, and no alert speaks of a service that is well',
    async () => {
      const [series] = await prometheus!.exemplars('mlops_http_request_duration_seconds_bucket');
      const traceId = series!.exemplars[0]!.labels['trace_id'];
      expect(traces.spans.some((span) => span.traceId === traceId)).toBe(true);
      expect((await prometheus!.query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric['alertname'])).toEqual(
        [],
      );
      expect((await prometheus!.query('job:mlops_http_errors:ratio_rate5m'))[0]?.value[1]).toBe('0');
    },
  );

  it('a call, its workflow, the activities of it and their SQL are one trace, below that of the caller', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    const correlationId = 'traced-call-1';
    const { body } = await service.post<{ job_id: string }>(
      '/data/ingest',
      { source: 'customers.csv', data_type: 'customers' },
      { traceparent, 'x-correlation-id': correlationId },
    );
    await service.ended(body.job_id);
    const ofTrace = () => traces.spans.filter((span) => span.traceId === traceId);
    const isSqlOfActivity = (span: ReceivedSpan) =>
      span.attributes['db.system'] === 'postgresql' && span.service === 'ml-pipeline-pipeline-worker';
    const sql = await eventually('the spans', async () => {
      const ended = ofTrace().some(({ name }) => name === 'RunWorkflow:ingestData');
      return ended
        ? ofTrace().find((span) => isSqlOfActivity(span) && traces.ancestorsOf(span).length >= 4)
        : undefined;
    });
    expect(traces.ancestorsOf(sql).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^RunActivity:/),
      'RunWorkflow:ingestData',
      'StartWorkflow:ingestData',
      'POST /data/ingest',
    ]);
    const root = ofTrace().find(({ name }) => name === 'POST /data/ingest')!;
    expect(root).toMatchObject({ parentSpanId: '00f067aa0ba902b7', service: 'ml-pipeline-api' });
    expect(root.attributes).toMatchObject({
      'http.response.status_code': '202',
      'mlops.correlation_id': correlationId,
    });
    expect(ofTrace().some((span) => span.service === 'ml-pipeline-api' && span.attributes['db.system'])).toBe(true);
    expect(sql.attributes['db.query.text']).toMatch(/\$1/);
    expect(JSON.stringify(ofTrace())).not.toContain(service.inbox);
  });

  it('a fit in a process of its own is a span below its activity, with what it has cost', async () => {
    const traceparent = '00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { body } = await service.post<{ job_id: string }>('/models/train', TRAIN, { traceparent });
    await service.ended(body.job_id);
    const fit = await eventually('the span of the fit', async () =>
      traces.spans.find((span) => span.name === 'Trainer:fit' && traceparent.includes(span.traceId)),
    );
    expect(fit.service).toBe('ml-pipeline-training-worker');
    expect(Number(fit.attributes['process.pid'])).toBeGreaterThan(1);
    expect(Number(fit.attributes['mlops.peak_memory_bytes'])).toBeGreaterThan(2 ** 20);
    const above = await eventually('the spans above it', async () => {
      const names = traces.ancestorsOf(fit).map(({ name }) => name);
      return names.length >= 4 ? names : undefined;
    });
    expect(above).toEqual([
      expect.stringMatching(/^RunActivity:/),
      'RunWorkflow:trainModel',
      'StartWorkflow:trainModel',
      'POST /models/train',
    ]);
  });

  it('lines of the log carry the ids of the call, the job, the model and its version', async () => {
    const request = logOf('api').findLast(
      ({ message, path }) => message === 'request' && path === '/predict/customers',
    )!;
    expect(request).toMatchObject({
      correlation_id: expect.any(String),
      model: 'customers',
      version: expect.stringMatching(/^v1\./),
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const ended = logOf('pipeline-worker').find(({ message }) => message === 'job ended')!;
    expect(ended).toMatchObject({ correlation_id: expect.any(String), job_id: expect.any(String) });
  });

  it('no log has a secret, an entity or the value of a feature, not even at the level DEBUG', async () => {
    await service.post('/predict/customers', { entity_id: SECRETS.person, features: { usage: SECRETS.plan } });
    await service.post('/data/ingest', {
      source: `postgresql://reader:${SECRETS.password}@127.0.0.1:1/db`,
      data_type: 'customers',
      options: { table: 'customers' },
    });
    await service.call('DELETE', `/subjects/${SECRETS.person}`);
    const logs = readdirSync(join(service.stack.stateDir, 'logs'))
      .filter((file) => /^(api|pipeline-worker|training-worker)/.test(file))
      .map((file) => readFileSync(join(service.stack.stateDir, 'logs', file), 'utf8'));
    expect(logs.join('').length).toBeGreaterThan(10_000);
    for (const secret of Object.values(SECRETS))
      for (const log of logs) expect(log.includes(secret), secret).toBe(false);
    expect(JSON.stringify(traces.spans)).not.toContain(SECRETS.person);
  });
});

describe('health', () => {
  it('is not ready while no deployed model could be loaded, names them, and is ready once they are there', async () => {
    const models = mkdtempSync(join(tmpdir(), 'mlops-no-models-'));
    const processes = new ApiProcesses(() => service.stack);
    try {
      const { url } = await processes.start({ MODEL_STORAGE_PATH: models, OTEL_EXPORTER_OTLP_ENDPOINT: '' });
      const ask = async (path: string) => {
        const response = await fetch(url + path);
        return { status: response.status, body: (await response.json()) as Health & { status: string } };
      };
      expect(await ask('/health/ready')).toEqual({ status: 503, body: { status: 'nothing_served' } });
      expect((await ask('/health/live')).status, 'a new start would load no more').toBe(200);
      const health = await ask('/health');
      expect(health.body).toMatchObject({
        status: 'degraded',
        degraded: expect.arrayContaining([{ state: 'models_not_served', affects: 'predictions of customers' }]),
      });
      cpSync(join(service.stack.stateDir, 'models'), models, { recursive: true });
      await eventually('the models', async () => ((await ask('/health/ready')).status === 200 ? true : undefined));
      expect((await ask('/health')).body.degraded.map(({ state }) => state)).not.toContain('models_not_served');
    } finally {
      await processes.killAll();
      rmSync(models, { recursive: true, force: true });
    }
  });

  it('names the state in which a worker is missing, its error and its time, also when it is over', async () => {
    const { degraded } = (await service.get<Health>('/health')).body;
    expect(degraded).toEqual([]);
    await service.call('DELETE', '/operate/log-level');
    expect((await service.get('/operate/log-level')).body).toMatchObject({ level: 'WARN', until: null });
    service.stack.kill9('postgres');
    const down = await eventually('the failure', async () => {
      const { body } = await service.get<Health>('/health');
      return body.degraded.some(({ state }) => state === 'database_away') ? body : undefined;
    });
    expect(down.dependencies['database']).toMatchObject({ status: 'down', error: expect.any(String) });
    expect((await service.get('/health/ready')).status).toBe(200);
    const up = await eventually('the recovery', async () => {
      const { body } = await service.get<Health>('/health');
      return body.status === 'ok' ? body : undefined;
    });
    expect(up.dependencies['database']).toMatchObject({ status: 'up', latency_ms: expect.any(Number) });
    // Whichever process answers knows what another has met.
    expect(up.dependencies['database']!.last_error).toEqual({ message: expect.any(String), at: expect.any(String) });
    expect(up.dependencies['model_storage']!.last_error).toBeNull();
    expect(up.spools['predictions']!.most_bytes).toBeGreaterThan(2 ** 30);
    expect(up.disks['state']!.free_bytes).toBeGreaterThan(0);
  });
});
