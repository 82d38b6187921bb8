import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveTemporalBinary } from '../../../infra/local/temporal-binary.js';
import { Service } from './support/service.js';
import { learnableTable } from './support/tables.js';

const run = promisify(execFile);
const key = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const MODELS = `customers: { kind: classification, source: customers, entity: customer, target: outcome, features: [usage, plan] }
`;

let service: Service;
let jobId: string;
beforeAll(async () => {
  service = await Service.start(MODELS, { ENCRYPTION_KEYS: `${key('new')},${key('old')}` });
  service.file('planted-name.csv', learnableTable(60));
  await service.run('/data/ingest', { source: 'planted-name.csv', data_type: 'customers' });
  const [job] = (await service.get<{ items: { job_id: string }[] }>('/jobs')).body.items;
  jobId = job!.job_id;
});
afterAll(() => service?.stop());

/** What the history of the job says to someone who decodes what can be decoded. */
async function history(...more: string[]): Promise<string> {
  const address = service.stack.addresses.temporal;
  const asked = ['workflow', 'show', '--workflow-id', jobId, '--output', 'json', '--address', address, ...more];
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
