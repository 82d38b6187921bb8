import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventLine } from '../../services/events/event-line.js';
import { createEventStore } from '../../services/events/event-store.js';
import { createUploadStore } from '../../services/uploads/upload-store.js';
import { queryDatabase } from '../support/query-database.js';
import { S3_KEYS, startS3Server } from '../support/s3-server.js';
import { fetchPart, planSource } from '../../services/sources/fetch-parts.js';
import { startCuttingProxy } from '../support/cutting-proxy.js';
import { SourceBench } from '../support/source-bench.js';
import { CANARY, CONTRACT_ROWS, holdSource, type SourceCase } from './source-contract.js';

let bench: SourceBench;
let s3: Awaited<ReturnType<typeof startS3Server>>;
let s3Way: Awaited<ReturnType<typeof startCuttingProxy>>;
let web: Server;
let origin: string;
let isWebAway = false;

const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
const csvOf = (rows: typeof CONTRACT_ROWS) =>
  ['id,name,amount', ...rows.map(({ id, name, amount }) => `${id},${quote(name)},${amount}`), ''].join('\n');
const recordsOf = (rows: typeof CONTRACT_ROWS) =>
  rows.map(({ id, name, amount }) => ({ id: Number(id), name, amount: Number(amount) }));
const linesOf = (rows: typeof CONTRACT_ROWS) =>
  recordsOf(rows)
    .map((record) => `${JSON.stringify(record)}\n`)
    .join('');
const half = CONTRACT_ROWS.length / 2;

/** `/page?cursor=` gives 40 rows a page to who knows the secret; every third request is refused at first. */
function serveWeb(): Promise<string> {
  let asked = 0;
  web = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    if (isWebAway) return void response.writeHead(404).end(`no ${CANARY}`);
    if (url.pathname === '/file.csv')
      return void response.setHeader('content-type', 'text/csv').end(csvOf(CONTRACT_ROWS));
    if (url.pathname !== '/page' || request.headers.authorization !== `Bearer ${CANARY}`)
      return void response.writeHead(401).end();
    if (++asked % 3 === 0) return void response.writeHead(429, { 'retry-after': '0' }).end();
    const start = Number(url.searchParams.get('cursor') ?? 0);
    const body = { data: { items: recordsOf(CONTRACT_ROWS.slice(start, start + 40)) }, next: start + 40 };
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.end(JSON.stringify(start + 40 >= CONTRACT_ROWS.length ? { data: body.data } : body));
  });
  return new Promise((resolve) => {
    web.listen(0, '127.0.0.1', () => resolve(`http://localhost:${(web.address() as AddressInfo).port}`));
  });
}

beforeAll(async () => {
  s3 = await startS3Server('lake');
  s3Way = await startCuttingProxy(Number(new URL(s3.endpoint).port));
  origin = await serveWeb();
  const secrets = join(tmpdir(), `mlops-secrets-${process.pid}.yaml`);
  writeFileSync(secrets, `api:\n  value: ${CANARY}\n  hosts: [localhost]\n`);
  bench = await SourceBench.start({
    SOURCE_ALLOWED_HOSTS: 'localhost',
    SOURCE_SECRETS_FILE: secrets,
    S3_ENDPOINT: s3Way.endpoint,
    S3_ACCESS_KEY_ID: S3_KEYS.accessKeyId,
    S3_SECRET_ACCESS_KEY: S3_KEYS.secretAccessKey,
  });
});
afterAll(async () => {
  await bench?.stop();
  s3Way?.stop();
  s3?.stop();
  web?.close();
  rmSync(join(tmpdir(), `mlops-secrets-${process.pid}.yaml`), { force: true });
});

const missingFile = { source: 'not-there.csv' };
const fileCase = (name: string, content: string | Uint8Array) => (): Promise<SourceCase> => {
  const source = bench.file(name, content);
  return Promise.resolve({ source, missing: missingFile, takeAway: () => rmSync(join(bench.folder, 'inbox', name)) });
};

holdSource('a CSV file', () => bench, fileCase('one.csv', csvOf(CONTRACT_ROWS)));
holdSource(
  'a TSV file',
  () => bench,
  fileCase('one.tsv', csvOf(CONTRACT_ROWS.map((row) => row)).replaceAll(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/g, '\t')),
);
holdSource('an NDJSON file', () => bench, fileCase('one.ndjson', linesOf(CONTRACT_ROWS)));
holdSource('a JSON file', () => bench, fileCase('one.json', JSON.stringify(recordsOf(CONTRACT_ROWS))));
holdSource('a gzipped CSV file', () => bench, fileCase('one.csv.gz', gzipSync(csvOf(CONTRACT_ROWS))));

const arrowOf = (kind: 'file' | 'stream') =>
  tableToIPC(
    tableFromArrays({
      id: BigInt64Array.from(CONTRACT_ROWS, ({ id }) => BigInt(id)),
      name: CONTRACT_ROWS.map(({ name }) => name),
      amount: Float64Array.from(CONTRACT_ROWS, ({ amount }) => Number(amount)),
    }),
    kind,
  );
holdSource('an Arrow file', () => bench, fileCase('one.arrow', arrowOf('file')));
holdSource('an Arrow stream', () => bench, fileCase('two.arrow', arrowOf('stream')));

holdSource(
  'a pattern of files',
  () => bench,
  () => {
    bench.file('days/2026/a.csv', csvOf(CONTRACT_ROWS.slice(0, half)));
    bench.file('days/2026/b.csv', csvOf(CONTRACT_ROWS.slice(half)));
    bench.file('days/2026/c.txt', 'no rows');
    const takeAway = () => rmSync(join(bench.folder, 'inbox', 'days'), { recursive: true });
    return Promise.resolve({ source: 'days/**/*.csv', missing: { source: 'nights/**/*.csv' }, takeAway });
  },
);

holdSource(
  'a PostgreSQL table',
  () => bench,
  async () => {
    const url = new URL(bench.databaseUrl);
    const sql = (text: string) => queryDatabase(bench.databaseUrl, text);
    await sql(`DROP TABLE IF EXISTS contract; CREATE TABLE contract (id int, name text, amount float8)`);
    await queryDatabase(
      bench.databaseUrl,
      `INSERT INTO contract SELECT * FROM json_to_recordset($1) AS rows(id int, name text, amount float8) ORDER BY id`,
      [JSON.stringify(recordsOf(CONTRACT_ROWS))],
    );
    await sql(
      `DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD '${CANARY}'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    );
    await sql('GRANT SELECT ON contract TO reader');
    const source = `postgresql://reader:${CANARY}@127.0.0.1:${url.port}/mlops`;
    return {
      source,
      options: { table: 'contract' },
      missing: { source, options: { table: 'not_there' } },
      takeAway: () => sql('DROP TABLE contract').then(() => undefined),
    };
  },
);

const webCase = (path: string, options: object) => (): Promise<SourceCase> => {
  isWebAway = false;
  return Promise.resolve({
    source: `${origin}${path}`,
    options,
    missing: { source: `${origin}/nothing.csv?key=${CANARY}` },
    takeAway: () => void (isWebAway = true),
  });
};
holdSource(
  'an API with a cursor, a secret and a limit of requests',
  () => bench,
  webCase(`/page?key=${CANARY}`, {
    http: { secret: 'api', records: 'data.items', paging: { by: 'cursor', parameter: 'cursor', at: 'next' } },
  }),
);
holdSource('a file on a web server', () => bench, webCase('/file.csv', {}));

holdSource(
  'objects of an S3 store',
  () => bench,
  async () => {
    await s3.put('events/2026/a b.csv', csvOf(CONTRACT_ROWS.slice(0, half)));
    await s3.put('events/2026/c.csv.gz', gzipSync(csvOf(CONTRACT_ROWS.slice(half))));
    await s3.put('events/readme.txt', 'no rows');
    return {
      source: 's3://lake/events/**/*.csv*',
      missing: { source: 's3://lake/events/not-there.csv' },
      takeAway: async () => {
        await s3.remove('events/2026/a b.csv');
        await s3.remove('events/2026/c.csv.gz');
      },
    };
  },
);

it('an object whose connection breaks again and again goes on where it broke, and one that is replaced meanwhile is refused', async () => {
  const rows = 60_000;
  const lines = Array.from({ length: rows }, (_, at) => `${at},${'x'.repeat(at % 50)}`);
  await s3.put('big/rows.csv', ['id,text', ...lines, ''].join('\n'));
  Object.assign(s3Way.state, { cuts: 3, afterBytes: 200_000, ranges: [] });
  const read = await bench.read(bench.request('s3://lake/big/rows.csv'));
  expect(read).toHaveLength(rows);
  expect(read.at(-1)).toEqual({ id: String(rows - 1), text: 'x'.repeat(49) });
  expect(s3Way.state.cuts).toBe(0);
  const starts = s3Way.state.ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range)?.[1]));
  expect(starts).toHaveLength(3);
  expect(starts.every((start, at) => start > (starts[at - 1] ?? 0))).toBe(true);

  const request = bench.request('s3://lake/big/rows.csv');
  const context = { ...bench.context, folder: bench.jobFolder(request), signal: AbortSignal.timeout(60_000) };
  const { parts } = await planSource(request, context);
  await s3.put('big/rows.csv', 'id,text\n1,other\n');
  await expect(fetchPart(request, parts[0]!, { ...context, onProgress: () => undefined })).rejects.toMatchObject({
    code: 'source_unreadable',
    message: expect.stringContaining('replaced'),
  });
});

const sendEvents = async () => {
  const store = createEventStore(bench.context.database);
  await queryDatabase(bench.databaseUrl, `DELETE FROM events`);
  const lines = CONTRACT_ROWS.map(({ id, name, amount }) =>
    eventLine({
      dataType: 'contract',
      id,
      receivedMs: 1_790_000_000_000,
      text: JSON.stringify({ event_id: id, id: Number(id), name, amount: Number(amount) }),
    }),
  );
  const rows = lines.map((line) => line.trimEnd());
  await store.write(rows, { firstMs: 0, lastMs: 0 });
  await store.write(rows.slice(3, 9), { firstMs: 0, lastMs: 0 });
};
holdSource(
  'events',
  () => bench,
  async () => {
    await sendEvents();
    const takeAway = () => queryDatabase(bench.databaseUrl, 'DELETE FROM events').then(() => undefined);
    return { source: 'events:contract', missing: { source: 'events:nothing' }, takeAway };
  },
);

holdSource(
  'an upload',
  () => bench,
  async () => {
    const uploads = createUploadStore(bench.context.database, bench.context.config);
    const body = Readable.from([gzipSync(csvOf(CONTRACT_ROWS))]);
    const { source } = await uploads.receive(body, { format: 'csv', compression: 'gzip', subject: 'test' });
    const takeAway = async () => void (await uploads.removeExpired(new Date(Date.now() + 1e9)));
    return { source, missing: { source: `upload:upl_${'0'.repeat(24)}` }, takeAway };
  },
);
