import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyRing, parseKeys } from '../../../services/encryption/key-ring.js';
import { openBytes } from '../../../services/encryption/sealed-file.js';
import { filesHolding, newKeys, ownFiles } from '../../support/encryption-keys.js';
import { csv, eventually, Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  timestamp: signed_up
  target: outcome
  features: [usage]
  feature_views: [plans]
`;
const RETENTION = `datasets:
  default: { keep_newest: 1, days: 1 }
staging_days: 1
quarantine_days: 1
`;
const PERSON = 'c7';
const KEYS = newKeys();

interface Graph {
  nodes: { id: string; kind: string; detail: Record<string, unknown> }[];
  edges: { from: string; to: string; relation: string }[];
}
interface Erasure {
  state: string;
  report: {
    erased: Record<string, number>;
    searched: { store: string; remaining: number; places?: string[] }[];
    models: { model: string; version: string; datasets: string[]; names_subject: boolean }[];
    datasets: string[];
    complete: boolean;
  };
}

let service: Service;
let version: string;
let datasets: string[];
let predictionId: string;
const ingest = async (file: string, dataType: string) =>
  String((await service.run('/data/ingest', { source: file, data_type: dataType }))['dataset_id']);

beforeAll(async () => {
  // A worker dies in the middle of filling the online store, and when a snapshot is rewritten but not yet noted.
  service = await Service.start(MODELS, {
    NODE_ENV: 'test',
    FAILPOINT: 'materialize:batch,erase:after-files',
    // `docs/guide/lineage-and-erasure.md` is run without keys.
    ENCRYPTION_KEYS: KEYS,
  });
  const table = learnableTable(400);
  service.file('customers.csv', table);
  const plans = table
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(','))
    .map(([customer, , plan]) => [customer!, plan!, '2023-01-01']);
  // One row for quarantine, and a person whose name begins with that of the other.
  service.file('plans.csv', csv(['customer', 'plan', 'since'], [...plans, ['c70x', 'pro', '2023-01-01'], ['cut off']]));
  service.file('broken.csv', csv(['customer', 'plan', 'since'], [...plans, [PERSON, 'cut off'], ['c70', 'cut off']]));
  datasets = [await ingest('customers.csv', 'customers'), await ingest('plans.csv', 'plans')];
  const view = {
    owner: 'tests',
    entity: 'customer',
    event_time: 'since',
    ttl_seconds: 1e9,
    source: 'plans',
    features: { plan: { type: 'string' } },
  };
  expect((await service.call('PUT', '/features/views/plans', view)).status).toBe(200);
  await service.run('/features/views/plans/materialize');
  version = String(
    (await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } }))['version'],
  );
  await service.run('/models/customers/deploy', { version });
  const answer = await service.post<{ prediction_id: string }>('/predict/customers', {
    entity_id: PERSON,
    features: { usage: 30 },
  });
  predictionId = answer.body.prediction_id;
  await service.post(`/predictions/${predictionId}/feedback`, { outcome: { label: 'stay' } });
});
afterAll(() => service?.stop());

describe('the lineage', () => {
  it('leads from a prediction to its sources, and from a dataset to its predictions', async () => {
    const { body: graph } = await service.get<Graph>(`/lineage/predictions/${predictionId}`);
    const reached = new Set([`prediction:${predictionId}`]);
    for (let size = 0; size < reached.size;) {
      size = reached.size;
      for (const { from, to } of graph.edges) if (reached.has(from)) reached.add(to);
    }
    expect(reached.size, 'everything hangs together').toBe(graph.nodes.length);
    for (const id of datasets) expect(reached).toContain(`dataset:${id}`);
    const kinds = new Set(graph.nodes.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(['dataset', 'feature_view', 'job', 'part', 'prediction', 'source', 'version']);
    const { body: back } = await service.get<Graph>(`/lineage/datasets/${datasets[1]}`);
    expect(back.nodes.find(({ id }) => id === `predictions:customers/${version}`)!.detail['count']).toBe(1);
    expect(back.nodes.map(({ id }) => id)).toContain(`version:customers/${version}`);
    const { body: own } = await service.get<Graph>(`/lineage/models/customers/versions/${version}`);
    expect(own.edges).toContainEqual({
      from: `version:customers/${version}`,
      to: `dataset:${datasets[0]}`,
      relation: 'trained_on',
    });
    for (const path of [
      'predictions/none',
      'datasets/none',
      'models/none/versions/v1.0.0',
      'models/customers/versions/v9.9.9',
    ])
      expect((await service.get(`/lineage/${path}`)).status).toBe(404);
  });
});

describe('retention', () => {
  it('deletes by policy, first tells what, and never what a version learnt from', async () => {
    const more = [await ingest('customers.csv', 'customers'), await ingest('customers.csv', 'customers')];
    expect((await service.get<{ items: object[] }>('/retention/plan')).body.items).toEqual([]);
    writeFileSync(join(service.inbox, 'retention.yaml'), RETENTION);
    await service.query(`UPDATE datasets SET created_at = created_at - interval '3 days'`);
    const staging = join(service.stack.stateDir, 'data', 'datasets', '.staging', 'left-by-nobody');
    mkdirSync(staging, { recursive: true });
    utimesSync(staging, 1, 1);
    const plan = await eventually('the policy', async () => {
      const { body } = await service.get<{
        items: { kind: string; id: string }[];
        held: { id: string; reason: string }[];
      }>('/retention/plan');
      return body.items.length > 0 ? body : undefined;
    });
    expect(plan.items.map(({ kind, id }) => [kind, id])).toEqual([
      ['dataset', more[0]],
      ['quarantine', datasets[1]],
      ['staging', 'left-by-nobody'],
    ]);
    expect(plan.held).toEqual([{ id: datasets[0], reason: `customers ${version} learnt from it` }]);
    expect(await service.run('/retention/run')).toMatchObject({
      deleted: { dataset: 1, quarantine: 1, staging: 1 },
      ids: [more[0], datasets[1], 'left-by-nobody'],
    });
    expect((await service.get(`/data/datasets/${more[0]}`)).status).toBe(404);
    for (const id of [...datasets, more[1]!]) expect((await service.get(`/data/datasets/${id}/rows`)).status).toBe(200);
    expect(await service.run('/retention/run')).toMatchObject({ deleted: { dataset: 0, quarantine: 0, staging: 0 } });
    const put = await service.call<{ cron: string }>('PUT', '/retention/schedule', { cron: '0 3 * * *' });
    expect(put.body.cron).toBe('0 3 * * *');
    expect((await service.call('PUT', '/retention/schedule', { cron: 'never' })).status).toBe(422);
    expect((await service.call('DELETE', '/retention/schedule')).status).toBe(204);
    expect((await service.get('/retention/schedule')).status).toBe(404);
  });
});

describe('the erasure of a person', () => {
  it('leaves nothing of them in any store, survives a kill, and says which models learnt from them', async () => {
    // Lines that could not be read are of somebody, too.
    datasets.push(await ingest('broken.csv', 'plans'));
    const linesOf = async () => (await service.get(`/data/datasets/${datasets[2]}/quarantine`)).text;
    expect(await linesOf()).toMatch(/"c7,cut off"[^]*"c70,cut off"/);
    const digestBefore = (await service.get<{ digest: string }>(`/data/datasets/${datasets[0]}`)).body.digest;
    const first = await service.call<{ job_id: string; erasure_id: string }>('DELETE', `/subjects/${PERSON}`);
    expect(first.status).toBe(202);
    const again = await service.call<{ job_id: string }>('DELETE', `/subjects/${PERSON}`);
    expect(again.body.job_id).toBe(first.body.job_id);
    const job = await service.ended(first.body.job_id);
    const { body: erasure } = await service.get<Erasure>(`/erasures/${first.body.erasure_id}`);
    expect(job.status, JSON.stringify(job.error)).toBe('completed');
    for (const point of ['materialize-batch', 'erase-after-files'])
      expect(readdirSync(service.stack.stateDir)).toContain(`failpoint-${point}`);
    expect(erasure.report.searched.filter(({ remaining }) => remaining > 0)).toEqual([]);
    expect(erasure).toMatchObject({ state: 'completed', report: { complete: true } });
    expect(erasure.report.erased).toMatchObject({
      'postgresql:predictions': 1,
      'postgresql:prediction_outcomes': 1,
      'postgresql:feature_values': 1,
    });
    expect(erasure.report.erased['datasets']).toBeGreaterThanOrEqual(2);
    expect(await linesOf()).toMatch(/^(?![^]*c7\b)[^]*"c70,cut off"/);
    expect(erasure.report.models).toMatchObject([
      { model: 'customers', version, datasets: expect.arrayContaining(datasets.slice(0, 2)) },
    ]);
    const { body: dataset } = await service.get<{ rows: number; digest: string }>(`/data/datasets/${datasets[0]}`);
    expect(dataset.rows).toBe(399);
    expect(dataset.digest).not.toBe(digestBefore);
    const { body: graph } = await service.get<Graph>(`/lineage/datasets/${datasets[0]}`);
    expect(graph.nodes.find(({ id }) => id === `dataset:${datasets[0]}`)!.detail['redactions']).toMatchObject([
      { erasure_id: first.body.erasure_id, rows: 1, digest_before: digestBefore, digest_after: dataset.digest },
    ]);
    // Those whose names only begin alike are still there, and the version still answers.
    const [other] = (
      await service.post<{ items: { views: { plans: { status: string } } }[] }>('/features/online', {
        view: 'plans',
        entity_ids: ['c70'],
      })
    ).body.items;
    expect(other!.views.plans.status).toBe('fresh');
    expect((await service.post('/predict/customers', { entity_id: 'c70', features: { usage: 30 } })).status).toBe(200);
  });

  it('carries the name of the person into no history, and answers a second time as for nobody', async () => {
    const [known] = (await service.get<{ items: { erasure_id: string }[] }>('/erasures')).body.items;
    const temporal = await service.temporal();
    const jobs = await service.query<{ id: string }>(`SELECT id FROM jobs WHERE type = 'erase'`);
    const history = JSON.stringify(await temporal.workflow.getHandle(jobs[0]!.id).fetchHistory());
    const payloads = [...history.matchAll(/\{"metadata":\{[^}]*\},"data":"[^"]*"\}/g)].map(
      ([text]) => JSON.parse(text) as object,
    );
    expect(payloads.length).toBeGreaterThan(10);
    const opened = await service.post<{ payloads: { data?: string }[] }>('/codec/decode', { payloads });
    const decoded = opened.body.payloads
      .map(({ data }) => Buffer.from(data ?? '', 'base64').toString('utf8'))
      .join('\n');
    expect(decoded).toContain(known!.erasure_id);
    expect(decoded).not.toContain(`"${PERSON}"`);
    const job = await service.ended(
      (await service.call<{ job_id: string }>('DELETE', `/subjects/${PERSON}`)).body.job_id,
    );
    expect(job.result).toMatchObject({ complete: true, erased: { 'postgresql:predictions': 0 } });
    expect((await service.get('/erasures/none')).status).toBe(404);
    expect(readdirSync(join(service.stack.stateDir, 'data', 'datasets', datasets[0]!))).not.toContain('redaction.json');
  });

  it('shows in the sealed files, once they are opened, that nothing is left', async () => {
    const { stateDir } = service.stack;
    for (const plain of ['PAR1', '"columns"', '"golden"']) expect(filesHolding(stateDir, plain)).toEqual([]);
    const ring = new KeyRing(parseKeys(KEYS));
    const files = ownFiles(stateDir).filter((file) => !file.includes('/models/') && !/\.(parquet|spool)$/.test(file));
    const texts = files.map((file) => openBytes(ring, readFileSync(file)).toString('utf8'));
    expect(texts.some((text) => text.includes('"redactions"'))).toBe(true);
    expect(files.filter((_, at) => texts[at]!.includes(`"${PERSON}"`))).toEqual([]);
    for (const id of datasets)
      for (const part of ['rows', 'quarantine']) {
        const { status, text } = await service.get(`/data/datasets/${id}/${part}?limit=500`);
        expect([status, text.includes('"c70"') || part === 'quarantine', text.includes(`"${PERSON}"`)]).toEqual([
          200,
          true,
          false,
        ]);
      }
  });
});
