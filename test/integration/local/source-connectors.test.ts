import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Bool, DateDay, Int64, Table, tableToIPC, TimestampMillisecond, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority, type CertificateFiles } from '../../../infra/local/test-authority.js';
import { sealSource } from '../../../services/sources/seal-source.js';
import { commitPulls } from '../../../services/sources/watermark.js';
import { createWatermarkStore } from '../../../services/sources/watermark-store.js';
import { queryDatabase } from '../../support/query-database.js';
import { SourceBench } from '../../support/source-bench.js';

let bench: SourceBench;
let certificates: CertificateFiles;
beforeAll(async () => {
  // The folder of the certificates has to be known before the settings are read.
  const folder = execFileSync('mktemp', ['-d', '-t', 'mlops-ca-XXXXXX'], { encoding: 'utf8' }).trim();
  certificates = await (await TestAuthority.create(folder)).issue({ name: 'server', hosts: ['localhost'] });
  bench = await SourceBench.start({ SOURCE_ALLOWED_HOSTS: 'localhost', SOURCE_CA_FILE: certificates.ca });
});
afterAll(() => bench?.stop());

const sql = <Row extends object>(text: string) => queryDatabase<Row>(bench.databaseUrl, text);

describe('files', () => {
  it('are read below the roots only, whatever a name or a link says', async () => {
    const outside = join(bench.folder, 'outside');
    mkdirSync(join(outside, 'deep'), { recursive: true });
    writeFileSync(join(outside, 'secret.csv'), 'a\n1\n');
    writeFileSync(join(outside, 'deep', 'secret.csv'), 'a\n1\n');
    bench.file('good/in.csv', 'a\n1\n');
    const inbox = join(bench.folder, 'inbox');
    symlinkSync(join(outside, 'secret.csv'), join(inbox, 'link.csv'));
    symlinkSync(outside, join(inbox, 'folder'));
    symlinkSync(join(inbox, 'good', 'in.csv'), join(inbox, 'inner.csv'));
    for (const source of [
      '../outside/secret.csv',
      'good/../../outside/secret.csv',
      '%2e%2e/outside/secret.csv',
      '..%2foutside/secret.csv',
      '..\\outside\\secret.csv',
      join(outside, 'secret.csv'),
      'link.csv',
      'folder/secret.csv',
      'folder/*.csv',
      'folder/**/*.csv',
      '../outside/*.csv',
      'good/../../outside/*.csv',
      '{..,good}/outside/*.csv',
      `${outside}/*.csv`,
      'link*.csv',
      'good\0.csv',
      '/etc/passwd',
      '/proc/self/environ',
      'good',
      '.',
      '*',
    ])
      await expect(bench.fetch(bench.request(source, { format: 'csv' })), source).rejects.toMatchObject({
        code: 'source_forbidden',
      });
    expect(await bench.read(bench.request('inner.csv'))).toEqual([{ a: '1' }]);
    expect((await bench.fetch(bench.request('**/in.csv'))).length).toBe(1);
  });

  it('of different formats are no source together', async () => {
    bench.file('mixed/a.csv', 'a\n1\n');
    bench.file('mixed/b.ndjson', '{"a": 1}\n');
    await expect(bench.fetch(bench.request('mixed/*'))).rejects.toMatchObject({ code: 'source_unreadable' });
  });

  it('of Arrow keep types, long numbers and parts of seconds', async () => {
    const table = new Table({
      id: vectorFromArray([9007199254740993n, -1n], new Int64()),
      text: vectorFromArray(['a "quoted", text', null], new Utf8()),
      flag: vectorFromArray([true, false], new Bool()),
      at: vectorFromArray([1_600_000_000_123, null], new TimestampMillisecond()),
      day: vectorFromArray([new Date('2026-02-03'), null], new DateDay()),
    });
    bench.file('typed.arrow', tableToIPC(table, 'file'));
    const [part] = await bench.fetch(bench.request('typed.arrow'));
    expect(part!.columns).toEqual([
      { name: 'id', type: 'integer' },
      { name: 'text', type: 'string' },
      { name: 'flag', type: 'boolean' },
      { name: 'at', type: 'timestamp' },
      { name: 'day', type: 'date' },
    ]);
    expect(await bench.read(bench.request('typed.arrow'))).toEqual([
      {
        id: '9007199254740993',
        text: 'a "quoted", text',
        flag: 'true',
        at: '2020-09-13T12:26:40.123000Z',
        day: '2026-02-03',
      },
      { id: '-1', text: null, flag: 'false', at: null, day: null },
    ]);
    bench.file('broken.arrow', 'ARROW1 is not what follows');
    await expect(bench.fetch(bench.request('broken.arrow'))).rejects.toMatchObject({ code: 'source_unreadable' });
  });
});

describe('an increment of a PostgreSQL table', () => {
  const pull = async (options: object) => {
    const source = await sealSource(bench.context.database, bench.databaseUrl);
    const request = bench.request(source, { table: 'log', cursor_column: 'at', ...options }, 'log');
    const parts = await bench.fetch(request);
    const rows = await bench.read(request);
    const commit = (datasetId = `ds-${request.jobId}`) =>
      bench.context.database.prisma.$transaction((transaction) =>
        commitPulls(transaction, {
          jobId: request.jobId,
          datasetId,
          pulls: parts.flatMap((part) => part.pull ?? []),
        }),
      );
    return { ids: rows.map((row) => Number(row['id'])).sort((a, b) => a - b), commit };
  };

  it('has each row once: those of the same cursor, late ones within the overlap, and equal ones', async () => {
    await sql(
      `CREATE TABLE log (id int, at timestamptz); INSERT INTO log VALUES (1, '2026-01-01 00:00:00'), (2, '2026-01-01 00:00:10')`,
    );
    const first = await pull({ cursor_overlap: 60 });
    expect(first.ids).toEqual([1, 2]);
    await first.commit();
    await sql(
      `INSERT INTO log VALUES (3, '2026-01-01 00:00:10'), (4, '2026-01-01 00:00:05'), (2, '2026-01-01 00:00:10'), (5, '2026-01-02 00:00:00')`,
    );
    const second = await pull({ cursor_overlap: 60 });
    expect(second.ids).toEqual([2, 3, 4, 5]);
    await second.commit();
    await expect(pull({ cursor_overlap: 60 })).rejects.toMatchObject({ code: 'source_unchanged' });
    await sql(`INSERT INTO log VALUES (6, NULL), (7, '2026-01-02 00:00:00')`);
    expect((await pull({})).ids).toEqual([7]);
  });

  it('that is not committed is read again, and of two at once one is refused', async () => {
    await sql(`INSERT INTO log VALUES (8, '2026-01-03')`);
    const one = await pull({});
    const other = await pull({});
    expect(one.ids).toEqual(other.ids);
    await one.commit();
    await expect(other.commit()).rejects.toMatchObject({ code: 'job_conflict' });
    await one.commit('again');
    const { items } = await createWatermarkStore(bench.context.database).list({ limit: 50 });
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({
      data_type: 'log',
      cursor_column: 'at',
      value: expect.stringMatching(/^2026-01-03/),
    });
    expect(JSON.stringify(items)).not.toContain(new URL(bench.databaseUrl).password);
    await createWatermarkStore(bench.context.database).remove(items[0]!.watermark_id);
    expect((await pull({})).ids.length).toBeGreaterThan(5);
  });

  it('needs a column that is there, and for an overlap one that can be counted in', async () => {
    await expect(pull({ cursor_column: 'nothing' })).rejects.toMatchObject({
      problems: [{ path: 'options.cursor_column' }],
    });
    await sql(`CREATE TABLE texts (id int, at text)`);
    await expect(pull({ table: 'texts', cursor_overlap: 5 })).rejects.toMatchObject({
      problems: [{ path: 'options.cursor_overlap' }],
    });
  });
});

describe('a PostgreSQL server with TLS', () => {
  it('is held to its certificate and its name', async () => {
    const [row] = await sql<{ data_directory: string }>('SHOW data_directory');
    const owner = statSync(row!.data_directory);
    for (const [from, name] of [
      [certificates.cert, 'server.crt'],
      [certificates.key, 'server.key'],
    ] as const) {
      const to = join(row!.data_directory, name);
      copyFileSync(from, to);
      execFileSync('chmod', ['600', to]);
      chownSync(to, owner.uid, owner.gid);
    }
    await sql('ALTER SYSTEM SET ssl = on');
    await sql('SELECT pg_reload_conf()');
    await sql(`CREATE TABLE tls (id int); INSERT INTO tls VALUES (1)`);
    const source = async (host: string, mode: string) => {
      const url = new URL(bench.databaseUrl);
      url.hostname = host;
      url.searchParams.set('sslmode', mode);
      const sealed = await sealSource(bench.context.database, url.href);
      return bench.request(sealed, { query: 'SELECT id, ssl FROM tls, pg_stat_ssl WHERE pid = pg_backend_pid()' });
    };
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const mode of ['verify-full', 'require', 'verify-ca', 'no-verify'])
      expect(await bench.read(await source('localhost', mode)), mode).toEqual([{ id: '1', ssl: 't' }]);
    // The certificate is for the name, not for the address.
    await expect(bench.read(await source('127.0.0.1', 'verify-full'))).rejects.toThrow(/could not be reached/);
    expect(await bench.read(await source('127.0.0.1', 'verify-ca'))).toHaveLength(1);
    expect(await bench.read(await source('127.0.0.1', 'disable'))).toEqual([{ id: '1', ssl: 'f' }]);
    await expect(bench.read(await source('localhost', 'prefer'))).rejects.toMatchObject({ code: 'source_forbidden' });
    const strangers = { ...bench.context.config.sources, caFile: undefined };
    const trusting = bench.context.config.sources;
    (bench.context.config as { sources: object }).sources = strangers;
    await expect(bench.read(await source('localhost', 'verify-full'))).rejects.toThrow(/could not be reached/);
    (bench.context.config as { sources: object }).sources = trusting;
  });
});

describe('an HTTP API', () => {
  const rows = Array.from({ length: 95 }, (_, at) => ({ id: at }));
  let web: Server;
  let origin: string;
  let asked: string[] = [];
  let broken: RegExp | undefined;
  beforeAll(async () => {
    web = createServer((request, response) => {
      const url = new URL(request.url ?? '', origin);
      asked.push(url.pathname + url.search);
      if (broken?.test(asked.at(-1)!)) return void response.writeHead(410).end();
      const number = (name: string) => Number(url.searchParams.get(name) ?? 0);
      const start = url.pathname === '/pages' ? (number('page') - 1) * 30 : number('offset');
      const page = rows.slice(start, start + 30);
      const next = `${url.pathname}?offset=${start + 30}`;
      if (url.pathname === '/circle') return void response.end('{"items": [{"id": 1}], "next": "/circle"}');
      if (url.pathname === '/huge') return void response.end('x'.repeat(70 * 2 ** 20));
      if (start + 30 < rows.length) response.setHeader('link', `<${next}>; rel="next", </x>; rel="prev"`);
      if (url.pathname.endsWith('.csv')) return void response.end(['id', ...page.map(({ id }) => id), ''].join('\n'));
      if (url.pathname.endsWith('.ndjson')) return void response.end(page.map((row) => JSON.stringify(row)).join('\n'));
      response.end(JSON.stringify({ items: page, next: start + 30 < rows.length ? next : null }));
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    origin = `http://localhost:${(web.address() as AddressInfo).port}`;
  });
  afterAll(() => web?.close());
  const json = (path: string, http: object) => bench.request(origin + path, { format: 'json', http });

  it.each([
    ['a link in the body', '/api', { format: 'json', http: { records: 'items', paging: { by: 'link', at: 'next' } } }],
    ['a Link header', '/api', { format: 'json', http: { paging: { by: 'link' } } }],
    ['a Link header, as CSV', '/api.csv', { http: { paging: { by: 'link' } } }],
    ['an offset', '/api.ndjson', { http: { paging: { by: 'offset', size: 30 } } }],
    ['an offset, as CSV', '/api.csv', { http: { paging: { by: 'offset' } } }],
    ['numbered pages', '/pages', { format: 'json', http: { paging: { by: 'page' } } }],
  ])('is read to its end by %s', async (_by, path, options) => {
    const read = await bench.read(bench.request(origin + path, options));
    expect(read.map((row) => Number(row['id']))).toEqual(rows.map(({ id }) => id));
  });

  it('goes on at the page that failed', async () => {
    const request = json('/api', { records: 'items', paging: { by: 'link', at: 'next' } });
    broken = /offset=60/;
    await expect(bench.fetch(request)).rejects.toMatchObject({ code: 'source_unreadable' });
    broken = undefined;
    asked = [];
    expect(await bench.read(request)).toHaveLength(95);
    expect(asked).toEqual(['/api?offset=60', '/api?offset=90']);
  });

  it('is not asked more often than it wants', async () => {
    const startMs = performance.now();
    await bench.read(json('/api', { requests_per_second: 10, paging: { by: 'link' } }));
    expect(performance.now() - startMs).toBeGreaterThan(290);
  });

  it('that goes in a circle, has pages without end or no records where it should, is refused', async () => {
    for (const [path, http] of [
      ['/circle', { paging: { by: 'link', at: 'next' } }],
      ['/huge', { paging: { by: 'offset' } }],
      ['/api', { records: 'nothing', paging: { by: 'offset' } }],
    ] as const)
      await expect(bench.fetch(json(path, http)), path).rejects.toMatchObject({ code: 'source_unreadable' });
  });

  it('over TLS is held to its certificate', async () => {
    const tls = createTlsServer(
      { cert: readFileSync(certificates.cert), key: readFileSync(certificates.key) },
      (_request, response) => response.end('id\n1\n'),
    );
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    const source = `https://localhost:${(tls.address() as AddressInfo).port}/x.csv`;
    expect(await bench.read(bench.request(source))).toEqual([{ id: '1' }]);
    tls.close();
  });
});
