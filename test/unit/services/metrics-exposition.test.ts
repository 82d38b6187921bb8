import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../services/telemetry/logger.js';
import { mergeMetrics, type MeasuredMetric } from '../../../services/telemetry/merge-metrics.js';
import { announcementsFolder, MetricsServer } from '../../../services/telemetry/metrics-server.js';
import { readWorkerMetrics } from '../../../services/telemetry/read-worker-metrics.js';
import { renderMetrics } from '../../../services/telemetry/render-metrics.js';

const metric = (more: Partial<MeasuredMetric>): MeasuredMetric => ({
  name: 'mlops_things_total',
  help: 'Things.',
  type: 'counter',
  aggregator: 'sum',
  values: [],
  ...more,
});
const bucket = (value: number, timestamp?: number) => ({
  value,
  labels: { le: 0.1, model: 'm' },
  metricName: 'mlops_wait_seconds_bucket',
  ...(timestamp === undefined
    ? {}
    : { exemplar: { labelSet: { trace_id: `trace-${timestamp}` }, value: 0.05, timestamp } }),
});
const histogram = (...values: MeasuredMetric['values']) =>
  metric({ name: 'mlops_wait_seconds', type: 'histogram', values });

describe('the metrics of several processes', () => {
  it('are added up series by series, whatever the order of the labels', () => {
    const [merged] = mergeMetrics([
      [metric({ values: [{ value: 2, labels: { a: 'x', b: 'y' } }] })],
      [
        metric({
          values: [
            { value: 3, labels: { b: 'y', a: 'x' } },
            { value: 1, labels: { a: 'z', b: 'y' } },
          ],
        }),
      ],
    ]);
    expect(merged!.values.map(({ value }) => value)).toEqual([5, 1]);
  });

  it.each([
    ['min', 1],
    ['max', 4],
    ['average', 2.5],
    ['first', 4],
  ])('are joined by %s where the metric says so', (aggregator, value) => {
    const of = (number: number) => [metric({ type: 'gauge', aggregator, values: [{ value: number, labels: {} }] })];
    expect(mergeMetrics([of(4), of(1)])[0]!.values).toMatchObject([{ value }]);
  });

  it('leave out what means nothing for several, and keep it of a process that is alone', () => {
    const started = (component: string) => [
      metric({ type: 'gauge', aggregator: 'omit', values: [{ value: 7, labels: { component } }] }),
    ];
    expect(mergeMetrics([started('api'), started('api'), started('training-worker')])[0]!.values).toEqual([
      { value: 7, labels: { component: 'training-worker' } },
    ]);
  });

  it('keep the newest exemplar of a bucket', () => {
    const [merged] = mergeMetrics([[histogram(bucket(1, 10))], [histogram(bucket(2, 30))], [histogram(bucket(4))]]);
    expect(merged!.values).toMatchObject([{ value: 7, exemplar: { labelSet: { trace_id: 'trace-30' } } }]);
  });
});

describe('the two formats', () => {
  const odd = metric({ values: [{ value: 1, labels: { path: 'a"b\\c\nd' } }] });

  it('escape what a label may hold', () => {
    expect(renderMetrics([odd], 'text')).toBe(
      '# HELP mlops_things_total Things.\n# TYPE mlops_things_total counter\nmlops_things_total{path="a\\"b\\\\c\\nd"} 1\n',
    );
  });

  it('name a counter without _total in OpenMetrics, whose end is marked', () => {
    expect(renderMetrics([odd], 'openMetrics').split('\n').slice(0, 2)).toEqual([
      '# HELP mlops_things Things.',
      '# TYPE mlops_things counter',
    ]);
    expect(renderMetrics([odd], 'openMetrics')).toMatch(/^mlops_things_total\{[^\n]+\n# EOF\n$/m);
  });

  it('have exemplars in OpenMetrics only', () => {
    expect(renderMetrics([histogram(bucket(3, 12.5))], 'openMetrics')).toContain(
      'mlops_wait_seconds_bucket{le="0.1",model="m"} 3 # {trace_id="trace-12.5"} 0.05 12.5\n',
    );
    expect(renderMetrics([histogram(bucket(3, 12.5))], 'text')).not.toContain('trace_id');
  });

  it('write numbers that JSON does not have as Prometheus reads them', () => {
    const values = [null, Infinity, -Infinity].map((value, at) => ({ value, labels: { at } }));
    expect(
      renderMetrics([metric({ type: 'gauge', values })], 'text')
        .match(/\S+$/gm)!
        .slice(2),
    ).toEqual(['NaN', '+Inf', '-Inf']);
  });
});

describe('the metrics of a worker', () => {
  let stateDir: string;
  const servers: MetricsServer[] = [];
  beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'mlops-metrics-'))));
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  async function tell(port = 0): Promise<MetricsServer> {
    const registry = new Registry();
    const counter = new Counter({ name: 'mlops_things_total', help: 'Things.', registers: [registry] });
    const logger = createLogger('test', 'silent');
    const collect = () => counter.inc();
    const server = new MetricsServer({ component: 'x', stateDir, host: '127.0.0.1', port, collect, registry, logger });
    servers.push(server);
    await server.start();
    return server;
  }

  it('are found by the API of the same machine, and brought up to date for it', async () => {
    await tell();
    expect(await readWorkerMetrics(stateDir)).toMatchObject([
      [{ name: 'mlops_things_total', values: [{ value: 1, labels: {} }] }],
    ]);
    expect(await readWorkerMetrics(stateDir)).toMatchObject([[{ values: [{ value: 2 }] }]]);
  });

  it('are told at a free port when the one that was asked for is taken', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    await tell((taken.address() as { port: number }).port);
    expect(await readWorkerMetrics(stateDir)).toHaveLength(1);
    await new Promise((resolve) => taken.close(resolve));
  });

  it('are left out, and forgotten, when the worker has died; a stopped one leaves nothing', async () => {
    const server = await tell();
    await server.stop();
    expect(readdirSync(announcementsFolder(stateDir))).toEqual([]);
    await tell();
    const [own] = readdirSync(announcementsFolder(stateDir));
    const dead = own!.replace(`~${process.pid}~`, '~4194305~');
    writeFileSync(join(announcementsFolder(stateDir), dead), '{"url": "http://127.0.0.1:1/metrics"}');
    expect(await readWorkerMetrics(stateDir)).toHaveLength(1);
    expect(readdirSync(announcementsFolder(stateDir))).toEqual([own]);
  });
});
