import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReportDocument, ReportPlot } from '../../../services/reports/report-document.js';
import { Service, type ProblemBody } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  algorithm: random_forest
  exclude: [coin, spend, signed_up]
spending:
  kind: regression
  source: customers
  entity: customer
  target: spend
  algorithm: linear
  features: [usage, plan, "<script>alert(1)</script>"]
coins:
  kind: classification
  source: customers
  target: coin
  algorithm: linear
  features: [usage, plan]
`;
const EVIL = '<script>alert(1)</script>';

let service: Service;
const path = (model: string, version = 'v1.0.0') => `/models/${model}/versions/${version}/report`;
const asData = (model: string) =>
  service.call<ReportDocument>('GET', path(model), undefined, { accept: 'application/json' });
const plotsOf = (report: ReportDocument): ReportPlot[] => report.sections.flatMap((section) => section.plots);
const plotOf = <Kind extends ReportPlot['kind']>(report: ReportDocument, kind: Kind) =>
  plotsOf(report).find((plot): plot is Extract<ReportPlot, { kind: Kind }> => plot.kind === kind)!;

beforeAll(async () => {
  service = await Service.start(MODELS);
  const [header, ...lines] = learnableTable(600).trimEnd().split('\n');
  const table = [`${header},${EVIL}`, ...lines.map((line, index) => `${line},${index % 7}`)].join('\n');
  service.file('customers.csv', `${table}\n`);
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
  for (const model of ['customers', 'spending', 'coins']) await service.run('/models/train', { model_type: model });
});
afterAll(() => service?.stop());

describe('the report of a version', () => {
  it('is a page for whoever asks for nothing else, and may do nothing but show itself', async () => {
    for (const accept of ['text/html,application/xhtml+xml,*/*;q=0.8', '*/*']) {
      const answer = await service.call('GET', path('customers'), undefined, { accept });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/);
      expect(answer.headers.get('vary')).toContain('Accept');
      expect(answer.text.startsWith('<!doctype html>')).toBe(true);
      expect(answer.text.includes('<p class="of">customers, version v1.0.0</p>')).toBe(true);
      for (const kind of ['roc', 'precision_recall', 'reliability', 'confusion', 'importance', 'slices'])
        expect(answer.text.includes(`<figure class="card" data-plot="${kind}">`), kind).toBe(true);
      expect(Buffer.byteLength(answer.text)).toBeLessThan(1_000_000);
    }
  });

  it('is the same as data for programs: the figures of the version, with the base beside them', async () => {
    const { status, body, headers } = await asData('customers');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
    expect([body.format_version, body.model, body.version]).toEqual([1, 'customers', 'v1.0.0']);
    const { body: version } = await service.get<{
      metrics: Record<string, { accuracy: { value: number }; roc_auc: { value: number } }>;
      verdict: { reason: string };
    }>('/models/customers/versions/v1.0.0');
    const [figures] = Object.values(version.metrics);
    expect(plotOf(body, 'roc').curves[0]!.area.value).toBeCloseTo(figures!.roc_auc.value, 12);
    const { counts } = plotOf(body, 'confusion');
    const all = counts.flat().reduce((a, b) => a + b, 0);
    expect((counts[0]![0]! + counts[1]![1]!) / all).toBeCloseTo(figures!.accuracy.value, 12);
    expect(body.summary[0]).toMatch(/^outcome: right in .* where always the most frequent class is right in /);
    expect(body.summary.at(-1)).toContain(version.verdict.reason);
  });

  it('finds what the answer follows from, by shuffling it among held-out rows', async () => {
    const { body } = await asData('customers');
    const bars = plotOf(body, 'importance').bars;
    const matters = bars.filter((bar) => bar.lower! > 0).map((bar) => bar.name);
    expect(matters.toSorted()).toEqual(['plan', 'usage']);
  });

  it('has for numbers the residuals, in place of curves', async () => {
    const { body } = await asData('spending');
    const kinds = plotsOf(body).map((plot) => plot.kind);
    expect(kinds).toContain('residuals');
    expect(kinds).not.toContain('roc');
    const { histogram } = plotOf(body, 'residuals');
    expect(histogram.reduce((sum, bin) => sum + bin.rows, 0)).toBe(120);
  });

  it('shows how the answers became better with more rows, the whole training part last', async () => {
    const { body } = await asData('spending');
    const [unseen] = plotOf(body, 'learning_curve').curves;
    expect(unseen!.points.map((point) => point.at)).toEqual([120, 240, 480]);
    expect(unseen!.points.at(-1)!.value).toBeLessThan(unseen!.points[0]!.value * 1.1);
  });

  it('says of a coin that nothing was learnt', async () => {
    const { body } = await asData('coins');
    expect(body.summary.at(-1)).toMatch(/^It must not take traffic\./);
    expect(body.sections[0]!.text).toMatch(/^No\./);
  });

  it('shows the name of a column and never runs it', async () => {
    const { text } = await service.get(path('spending'));
    expect(text.includes('<script')).toBe(false);
    expect(text.includes('&lt;script&gt;alert(1)&lt;/script&gt;')).toBe(true);
  });

  it('is found by an alias too', async () => {
    await service.run('/models/customers/deploy', { version: 'v1.0.0' });
    expect((await service.get(path('customers', 'production'))).status).toBe(200);
  });
});

describe('there is no report', () => {
  it.each([
    ['/models/nobody/versions/v1.0.0/report', 'model_not_found'],
    ['/models/customers/versions/v9.0.0/report', 'version_not_found'],
  ])('at %s: %s', async (wanted, code) => {
    const answer = await service.get<ProblemBody>(wanted);
    expect([answer.status, answer.body.type]).toEqual([404, `urn:problem:${code}`]);
  });

  it('of a version that was made without one', async () => {
    const { body } = await service.get<{ digest: string }>('/models/coins/versions/v1.0.0');
    const file = join(service.stack.stateDir, 'models', 'coins', body.digest, 'report.json');
    const expectNone = async () => {
      const answer = await service.get<ProblemBody>(path('coins'));
      expect([answer.status, answer.body.type]).toEqual([404, 'urn:problem:report_not_found']);
    };
    writeFileSync(file, 'null');
    await expectNone();
    rmSync(file);
    await expectNone();
  });
});

describe('many readers at once', () => {
  it('all have the same page, while predictions go on', async () => {
    const readers = Promise.all(Array.from({ length: 20 }, () => service.get(path('spending'))));
    const predictions = Array.from({ length: 20 }, (_, usage) =>
      service.post('/predict/customers', { features: { usage, plan: 'pro' } }),
    );
    const answers = await Promise.all(predictions);
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 200));
    const texts = (await readers).map((answer) => answer.text);
    expect(new Set(texts).size).toBe(1);
  });
});
