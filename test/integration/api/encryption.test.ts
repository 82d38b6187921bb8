import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { filesHolding, newKeys, ownFiles } from '../../support/encryption-keys.js';
import { Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const run = promisify(execFile);
const [NEW, OLD, NEWER] = ['new', 'old', 'newer'].map(newKeys) as [string, string, string];
const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;

let service: Service;
let jobId: string;
let datasetId: string;
/** The entity of one row, which is looked for in every file. */
const PLANTED = 'planted-entity';
const TABLE = learnableTable(300).replace('\nc7,', `\n${PLANTED},`);
beforeAll(async () => {
  service = await Service.start(MODELS, {
    ENCRYPTION_KEYS: `${NEW},${OLD},${NEWER}`,
    // A worker dies when it has sealed the first file anew.
    NODE_ENV: 'test',
    FAILPOINT: 'reencrypt:after-file',
  });
  service.file('planted-name.csv', TABLE);
  const made = await service.run('/data/ingest', { source: 'planted-name.csv', data_type: 'customers' });
  datasetId = made['dataset_id'] as string;
  const [job] = (await service.get<{ items: { job_id: string }[] }>('/jobs')).body.items;
  jobId = job!.job_id;
});
afterAll(() => service?.stop());

/** What the history of the job says to someone who decodes what can be decoded. */
async function history(...more: string[]): Promise<string> {
  return historyOf(jobId, ...more);
}
async function historyOf(id: string, ...more: string[]): Promise<string> {
  const address = service.stack.addresses.temporal;
  const asked = ['workflow', 'show', '--workflow-id', id, '--output', 'json', '--address', address, ...more];
  const { stdout } = await run(await resolveTemporalBinary(() => undefined), asked);
  const data = [...stdout.matchAll(/"data": "([^"]*)"/g)].map((match) => Buffer.from(match[1]!, 'base64').toString());
  return [stdout, ...data].join('\n');
}

it('Temporal keeps nothing of a job that can be read without the keys', async () => {
  const shown = await history();
  expect(shown).not.toContain('planted-name');
  expect(shown).toContain(Buffer.from('binary/encrypted').toString('base64'));
});

it('the command line of Temporal shows it through the codec server', async () => {
  expect(await history('--codec-endpoint', `${service.stack.api}/codec`)).toContain('planted-name');
});

it('what was encrypted elsewhere is refused with the reason, and what is no payload by its path', async () => {
  const foreign = {
    metadata: {
      encoding: Buffer.from('binary/encrypted').toString('base64'),
      'encryption-key-id': Buffer.from('lost').toString('base64'),
    },
    data: randomBytes(80).toString('base64'),
  };
  const refused = await service.call<{ detail: string }>('POST', '/codec/decode', { payloads: [foreign] });
  expect(refused.status).toBe(422);
  expect(refused.body.detail).toMatch(/"lost", which ENCRYPTION_KEYS does not have/);
  const malformed = await service.call('POST', '/codec/decode', { payloads: [{ data: '%%' }] });
  expect(malformed).toMatchObject({ status: 422, body: { errors: [{ path: 'payloads.0.data' }] } });
});

it('nor what has failed', async () => {
  service.file('bad.csv', 'customer,usage,plan\n');
  const job = await service.ended(await service.start('/data/ingest', { source: 'bad.csv', data_type: 'customers' }));
  expect(job).toMatchObject({ status: 'failed', error: { code: expect.any(String) as string } });
  const shown = await historyOf(job.job_id);
  expect(shown).toContain('Encoded failure');
  expect(shown).not.toContain(job.error!.detail);
  expect(await historyOf(job.job_id, '--codec-endpoint', `${service.stack.api}/codec`)).toContain(job.error!.detail);
});

const holding = (text: string) => filesHolding(service.stack.stateDir, text);
const parquetOf = (id: string) =>
  ownFiles(service.stack.stateDir).find((file) => file.includes(id) && file.endsWith('data.parquet'))!;

/** Runs a command of the service as its operator does, and gives what it says. */
async function command(script: string, keys: string, ...flags: string[]) {
  const { databaseUrl, temporal, stateDir } = service.stack.addresses;
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal,
    STATE_DIR: stateDir,
    ENCRYPTION_KEYS: keys,
  };
  return run(process.execPath, [`dist/commands/${script}.js`, ...flags], { env });
}

it('no file has a row, an upload or a model that can be read, and everything works as without keys', async () => {
  await service.run('/models/train', { model_type: 'customers', hyperparameters: { n_estimators: 10 } });
  await service.run('/models/customers/deploy', { version: 'v1.0.0', allow_unpromotable: true });
  const body = { features: { usage: 50, plan: 'pro' } };
  expect((await service.call('POST', '/predict/customers', body)).status).toBe(200);
  const upload = await service.call<{ upload_id: string }>('POST', '/data/uploads?format=csv', TABLE, {
    'content-type': 'text/csv',
  });
  expect(upload.status, upload.text).toBe(201);
  const again = await service.run('/data/ingest', {
    source: `upload:${upload.body.upload_id}`,
    data_type: 'customers',
  });
  const [one, other] = await Promise.all(
    [datasetId, again['dataset_id'] as string].map((id) =>
      service.get<{ items: object[]; digest: string }>(`/data/datasets/${id}/rows?limit=20`),
    ),
  );
  expect(one!.body.items).toHaveLength(20);
  expect(other!.body.items).toEqual(one!.body.items);
  expect(one!.text).toContain(PLANTED);
  expect(holding(PLANTED)).toEqual([]);
  expect(holding('PAR1')).toEqual([]);
  expect(holding('"golden"')).toEqual([]);
  expect(ownFiles(service.stack.stateDir).length).toBeGreaterThan(5);
});

it('a file that was changed by one byte is refused with its name', async () => {
  const file = parquetOf(datasetId);
  const kept = readFileSync(file);
  const changed = Buffer.from(kept);
  changed[changed.length >> 1]! ^= 1;
  writeFileSync(file, changed);
  const answer = await fetch(`${service.stack.api}/data/datasets/${datasetId}/rows`);
  expect(await answer.json()).toMatchObject({
    type: 'urn:problem:artifact_corrupt',
    detail: expect.stringMatching(/data\.parquet cannot be opened: The encrypted bytes were changed/) as string,
  });
  writeFileSync(file, kept);
  expect((await service.get(`/data/datasets/${datasetId}/rows`)).status).toBe(200);
});

it('a backup of encrypted files is whole, and its files open with the keys only', async () => {
  const to = join(mkdtempSync(join(tmpdir(), 'mlops-backup-')), 'backup');
  expect((await command('backup', `${NEW},${OLD}`, '--to', to)).stdout).toContain('is the backup of');
  rmSync(to, { recursive: true });
  await expect(command('backup', OLD, '--to', to)).rejects.toMatchObject({
    stderr: expect.stringMatching(/"new", which ENCRYPTION_KEYS does not have/) as string,
  });
  rmSync(to, { recursive: true, force: true });
});

it('all files come under a new key while the service goes on, also where that was killed in the middle', async () => {
  const keys = `${NEWER},${NEW},${OLD}`;
  await expect(command('reencrypt', keys, '--check')).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/key "new": \d+ files/) as string,
  });
  const child = execFile(process.execPath, ['dist/commands/reencrypt.js'], {
    env: {
      ...process.env,
      DATABASE_URL: service.stack.addresses.databaseUrl,
      STATE_DIR: service.stack.stateDir,
      ENCRYPTION_KEYS: keys,
      FAILPOINT: 'reencrypt:after-file',
      NODE_ENV: 'test',
    },
  });
  expect(await new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGKILL');
  const half = await command('reencrypt', keys, '--check').catch((error: { stdout: string }) => error);
  expect(half.stdout).toMatch(/key "new": \d+ files[^]*key "newer": 1 files/);
  expect((await command('reencrypt', keys)).stdout).not.toMatch(/key "new":/);
  // No file needs the former keys any more, and the service, which has all of them, has gone on.
  expect((await command('reencrypt', NEWER, '--check')).stdout).not.toContain('not encrypted');
  const rows = await service.get<{ items: object[] }>(`/data/datasets/${datasetId}/rows?limit=20`);
  expect(rows.text).toContain(PLANTED);
  expect(holding(PLANTED)).toEqual([]);
  expect((await service.get('/models/customers/versions/v1.0.0/report')).status).toBe(200);
});

interface Keys {
  writing_key_id: string | null;
  keys: { key_id: string | null; files: number; bytes: number }[];
}

it('a job does the same: a damaged file hinders no other, and a worker that dies in the middle costs nothing', async () => {
  const before = (await service.get<Keys>('/encryption/keys')).body;
  expect(before).toMatchObject({ writing_key_id: 'new', keys: [{ key_id: 'newer' }] });
  const file = parquetOf(datasetId);
  const kept = readFileSync(file);
  writeFileSync(file, kept.subarray(0, kept.length - 1));
  // The worker may die once more.
  rmSync(join(service.stack.stateDir, 'failpoint-reencrypt-after-file'));
  const error = await service.fail('/encryption/reencrypt');
  expect(error).toMatchObject({
    code: 'artifact_corrupt',
    detail: expect.stringMatching(
      /^1 of \d+ files were left as they are, all others are done\. .*data\.parquet cannot/,
    ) as string,
  });
  expect(readdirSync(service.stack.stateDir)).toContain('failpoint-reencrypt-after-file');
  writeFileSync(file, kept);
  const half = (await service.get<Keys>('/encryption/keys')).body.keys;
  expect(half).toMatchObject([{ key_id: 'new' }, { key_id: 'newer', files: 1 }]);

  const asked = { 'idempotency-key': 'rotation' };
  const [job, again] = await Promise.all(
    [1, 2].map(() => service.post<{ job_id: string }>('/encryption/reencrypt', undefined, asked)),
  );
  expect([job!.status, again!.body.job_id]).toEqual([202, job!.body.job_id]);
  const ended = await service.ended(job!.body.job_id);
  expect(ended).toMatchObject({ status: 'completed', request: { key_id: 'new' }, result: { writing_key_id: 'new' } });
  expect(ended.result).toEqual((await service.get('/encryption/keys')).body);
  const files = (uses: Keys['keys']) => uses.map((use) => [use.key_id, use.files]);
  expect(files(ended.result!['keys'] as Keys['keys'])).toEqual([['new', before.keys[0]!.files]]);
  expect((await service.get(`/data/datasets/${datasetId}/rows?limit=20`)).text).toContain(PLANTED);
  expect((await service.call('POST', '/encryption/reencrypt', { key_id: 'old' })).status).toBe(422);
});
