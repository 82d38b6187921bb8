import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PARTS } from '../../../infra/local/local-stack.js';
import { Service, type ProblemBody } from './support/service.js';

const MODELS = `anything:
  kind: classification
  target: y
`;
const DATA_TYPES = `people:
  columns:
    id: { type: integer, required: true, unique: true }
    name: { type: string, required: true, pattern: '[^0-9]+' }
    born: { type: date }
    height: { type: number, minimum: 0.2, maximum: 2.8 }
    team: { values: [red, blue] }
`;

let service: Service;
beforeAll(async () => {
  service = await Service.start(MODELS, {}, DATA_TYPES);
});
afterAll(() => service?.stop());

type Row = Record<string, unknown>;
interface Bad {
  row_number: number;
  reasons: string[];
  content: string;
}

/** Many tables under one name: what has changed from one to the next is not what these tests are about. */
const schema_changes = 'accept';

/** Ingests a file that must be accepted, and reads everything back. */
async function ingest(name: string, content: string | Uint8Array, data_type = 'table', options: object = {}) {
  const source = service.file(name, content);
  return readBack(await service.run('/data/ingest', { source, data_type, options: { schema_changes, ...options } }));
}

async function readBack(result: Record<string, unknown>) {
  const base = `/data/datasets/${String(result['dataset_id'])}`;
  const rows = (await service.get<{ items: Row[] }>(`${base}/rows?limit=500`)).body.items;
  const bad = (await service.get<{ items: Bad[] }>(`${base}/quarantine?limit=500`)).body.items;
  const dataset = (await service.get<{ columns: { name: string; type: string }[]; source: string }>(base)).body;
  expect(result).toMatchObject({ rows: rows.length, quarantined_rows: bad.length });
  return {
    result,
    rows,
    bad,
    dataset,
    types: Object.fromEntries(dataset.columns.map(({ name, type }) => [name, type])),
  };
}

describe('a CSV file', () => {
  it('keeps its good rows exactly, and each bad row goes to quarantine with every reason', async () => {
    const { rows, bad, result, types } = await ingest(
      'people.csv',
      [
        'id,name,born,height,team',
        '1,Ada,1815-12-10,1.65,red',
        '2,"Grace ""Amazing"" Hopper",1906-12-09,1.67,blue',
        '3,"two\nlines",,,',
        'four,Bad Id,1990-01-01,1.8,red',
        '5,Bad Everything 5,not a date,9,green',
        '1,Same Id,1990-01-01,1.8,red',
        ',No Id,1990-01-01,1.8,red',
        '8,Żółć 🐈,2000-02-29,1.8,blue',
        '9,Too Few',
        '10,Too Many,2000-01-01,1.8,blue,extra,extra',
        '11,Last,2001-01-01,1.7,red',
        '12,More,2001-01-01,1.7,red',
        '13,Rows,2001-01-01,1.7,red',
        '14,That,2001-01-01,1.7,red',
        '15,Are Good,2001-01-01,1.7,red',
        '',
      ].join('\n'),
      'people',
    );
    expect(types).toEqual({ id: 'integer', name: 'string', born: 'date', height: 'number', team: 'string' });
    expect(rows.map((row) => row['id'])).toEqual([1, 2, 3, 8, 11, 12, 13, 14, 15]);
    expect(rows[1]).toMatchObject({ name: 'Grace "Amazing" Hopper', height: 1.67, team: 'blue' });
    expect(rows[2]).toMatchObject({ name: 'two\nlines', born: null, height: null, team: null });
    expect(rows[3]).toMatchObject({ name: 'Żółć 🐈' });
    expect(bad).toHaveLength(6);
    const reasons = (text: string) => bad.find((row) => row.content.includes(text))!.reasons.join(' | ');
    expect(reasons('Bad Id')).toMatch(/column id: "four" is not a whole number/);
    expect(reasons('Bad Everything')).toMatch(
      /name: does not match.*born: "not a date".*height: above the maximum.*team: not one of/,
    );
    expect(reasons('Same Id')).toMatch(/id: the value was already in an earlier row/);
    expect(reasons('No Id')).toMatch(/id: empty, but required/);
    expect(reasons('Too Few')).toMatch(/MISSING COLUMNS/);
    expect(reasons('Too Many')).toMatch(/TOO MANY COLUMNS/);
    expect(result['digest']).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the same digest for the same rows', async () => {
    const text = 'a,b\n1,x\n2,y\n3,z\n';
    const first = await ingest('same1.csv', text);
    const second = await ingest('same2.csv', text);
    expect(second.result['digest']).toBe(first.result['digest']);
    expect(second.result['dataset_id']).not.toBe(first.result['dataset_id']);
  });

  it('may start with a byte order mark, end lines with CR LF, and use semicolons', async () => {
    const { rows, types } = await ingest('windows.csv', '\ufeffname;amount\r\n"a;b";1\r\nc;2\r\nd;3\r\n');
    expect(types).toEqual({ name: 'string', amount: 'integer' });
    expect(rows).toEqual([
      { name: 'a;b', amount: 1 },
      { name: 'c', amount: 2 },
      { name: 'd', amount: 3 },
    ]);
  });

  it('may be gzipped', async () => {
    const { rows } = await ingest('packed.csv.gz', gzipSync('k,v\na,1\nb,2\n'));
    expect(rows).toEqual([
      { k: 'a', v: 1 },
      { k: 'b', v: 2 },
    ]);
  });

  it('with bytes that are no UTF-8 loses only those rows, and says why', async () => {
    const text = 'city,size\nBerlin,1\nParis,2\nRoma,3\nWien,5\n';
    const bytes = Buffer.concat([Buffer.from(text), Buffer.from('Köln,4\n', 'latin1')]);
    const { rows, bad } = await ingest('latin1.csv', bytes);
    expect(rows.map((row) => row['city'])).toEqual(['Berlin', 'Paris', 'Roma', 'Wien']);
    expect(bad).toHaveLength(1);
    expect(bad[0]!.reasons.join()).toMatch(/unicode|encoding|utf/i);
  });

  it('keeps codes as text and long numbers whole', async () => {
    const { rows, types } = await ingest(
      'codes.csv',
      'zip,snowflake,huge,flag,amount\n00501,1234567890123456789,123456789012345678901234,true,1\n10115,1234567890123456788,223456789012345678901234,false,2.5\n',
    );
    expect(types).toEqual({ zip: 'string', snowflake: 'string', huge: 'string', flag: 'boolean', amount: 'number' });
    expect(rows[0]).toMatchObject({
      zip: '00501',
      snowflake: '1234567890123456789',
      huge: '123456789012345678901234',
      flag: true,
    });
  });

  it('may name its columns as it likes, also like our own or like SQL', async () => {
    const { rows } = await ingest(
      'names.csv',
      '_row,_reasons,select,"a ""quoted"" name",constructor,Ünïcode\n7,x,1,2,3,4\n8,y,1,2,3,4\n9,z,2,2,3,4\n',
    );
    expect(rows[0]).toEqual({ _row: 7, _reasons: 'x', select: 1, 'a "quoted" name': 2, constructor: 3, Ünïcode: 4 });
  });

  it.each([
    ['that is empty', 'empty.csv', ''],
    ['with a header only', 'header.csv', 'a,b,c\n'],
    ['that is cut-off gzip', 'cut.csv.gz', gzipSync('a,b\n'.repeat(5000)).subarray(0, 40)],
    ['that is no gzip at all', 'fake.csv.gz', 'a,b\n1,2\n'],
    ['that is no Parquet', 'fake.parquet', 'PAR1 but not really'],
  ])('%s is refused with a reason, and leaves nothing behind', async (_title, name, content) => {
    const source = service.file(name, content);
    const error = await service.fail('/data/ingest', { source, data_type: 'table' });
    expect(['dataset_rejected', 'source_unreadable']).toContain(error.code);
    expect(error.detail).not.toContain(service.inbox);
    expect(readdirSync(join(service.stack.stateDir, 'data', 'datasets', '.staging'))).toEqual([]);
  });

  it('of which more than half is bad, or any row with validation "fail", is refused', async () => {
    const source = service.file('mostly-bad.csv', 'id,name\nx,A\ny,B\nz,C\n1,D\n');
    const half = await service.fail('/data/ingest', { source, data_type: 'people' });
    expect(half).toMatchObject({ code: 'dataset_rejected', detail: expect.stringContaining('more than half') });
    const strict = service.file('one-bad.csv', 'id,name\n1,A\n2,B\n3,C\nx,D\n');
    const error = await service.fail('/data/ingest', {
      source: strict,
      data_type: 'people',
      options: { validation: 'fail' },
    });
    expect(error).toMatchObject({ code: 'dataset_rejected', detail: expect.stringContaining('1 of 4') });
    const missing = service.file('no-name.csv', 'id\n1\n2\n');
    const lacking = await service.fail('/data/ingest', { source: missing, data_type: 'people' });
    expect(lacking.problems).toEqual([{ path: 'columns.name', message: 'is required and missing' }]);
  });

  it('can be read in part by naming columns; an unknown column is refused by name', async () => {
    const source = service.file('wide.csv', 'a,b,c\n1,2,3\n4,5,6\n');
    const { rows } = await readBack(
      await service.run('/data/ingest', {
        source,
        data_type: 'table',
        options: { schema_changes, columns: ['c', 'a'] },
      }),
    );
    expect(rows).toEqual([
      { c: 3, a: 1 },
      { c: 6, a: 4 },
    ]);
    const error = await service.fail('/data/ingest', { source, data_type: 'table', options: { columns: ['nope'] } });
    expect(error).toMatchObject({ code: 'source_unreadable', detail: expect.stringContaining('nope') });
  });
});

it('NDJSON, JSON and TSV give the same rows as CSV', async () => {
  const wanted = [
    { k: 'a', v: 1 },
    { k: 'b', v: 2 },
  ];
  expect((await ingest('t.ndjson', '{"k":"a","v":1}\n{"k":"b","v":2}\n')).rows).toEqual(wanted);
  expect((await ingest('t.json', '[{"k":"a","v":1},{"k":"b","v":2}]')).rows).toEqual(wanted);
  expect((await ingest('t.tsv', 'k\tv\na\t1\nb\t2\n')).rows).toEqual(wanted);
  expect((await ingest('t.data', 'k,v\na,1\nb,2\n', 'table', { format: 'csv' })).rows).toEqual(wanted);
});

describe('a source outside of the data folders', () => {
  let outside: string;
  beforeAll(() => {
    outside = mkdtempSync(join(tmpdir(), 'mlops-outside-'));
    writeFileSync(join(outside, 'secret.csv'), 'a\n1\n');
    symlinkSync(join(outside, 'secret.csv'), join(service.inbox, 'link.csv'));
    symlinkSync(outside, join(service.inbox, 'folder-link'));
    mkdirSync(join(service.inbox, 'sub.csv'));
  });
  afterAll(() => rmSync(outside, { recursive: true, force: true }));

  it.each([
    ['/etc/passwd'],
    ['../../../../../../etc/passwd'],
    ['sub.csv'],
    ['link.csv'],
    ['folder-link/secret.csv'],
    ['missing.csv'],
    ['.'],
    ['file:///etc/passwd'],
    ['https://169.254.169.254/latest/meta-data'],
    ['s3://bucket/key.csv'],
    ['javascript:alert(1)'],
    ['upload:nothing'],
    ['postgresql://'],
    ['postgresql:///db'],
    ['postgresql://host'],
    ['postgresql://user:top-secret@host/db?host=/var/run'],
    ['postgresql://user:top-secret@host:port/db'],
    ['postgresql://%zz:top-secret@host/db'],
  ])('%s is 422 and says so about `source`, never showing a password', async (source) => {
    const answer = await service.post<ProblemBody>('/data/ingest', { source, data_type: 'x', options: { table: 't' } });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'source']);
    expect(answer.text).not.toMatch(/top-secret|root:/);
  });

  it('a file whose ending tells no format is 422 until options.format says it', async () => {
    const answer = await service.post<ProblemBody>('/data/ingest', {
      source: service.file('x.bin', 'a\n1\n'),
      data_type: 'x',
    });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'options.format']);
  });

  it('a file takes no table and no query, instead of ignoring them', async () => {
    const answer = await service.post<ProblemBody>('/data/ingest', {
      source: service.file('x.csv', 'a\n1\n'),
      data_type: 'x',
      options: { table: 'y' },
    });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, 'options.table']);
  });
});

describe('a PostgreSQL source', () => {
  const SECRET = 'sup3r-secret-Pa55';
  let url: string;
  beforeAll(async () => {
    await service.query(`CREATE ROLE reader LOGIN PASSWORD '${SECRET}'`);
    await service.query('CREATE SCHEMA outside');
    await service.query(
      `CREATE TABLE outside.things (id bigint, "Name" text, note text, price numeric, at timestamptz, local timestamp, day date, ok boolean, doc jsonb, tags text[])`,
    );
    await service.query(
      `INSERT INTO outside.things VALUES
        (9223372036854775807, 'a', '', 1.10, '2024-03-31T03:30:00+02', '2024-03-31 03:30', '2024-02-29', true, '{"k": [1, "x"]}', '{p,q}'),
        (-1, E'quote" comma, new\nline', NULL, -2.5, '2024-01-01T00:00:00Z', '1969-12-31 23:59:59.123456', '1900-01-01', false, 'null', NULL),
        (3, '\\N', '\\N', 3, '2024-01-01T00:00:00.5Z', NULL, NULL, NULL, NULL, '{}')`,
    );
    await service.query('GRANT USAGE ON SCHEMA outside TO reader');
    await service.query('GRANT SELECT ON outside.things TO reader');
    const address = new URL(service.stack.addresses.databaseUrl);
    address.username = 'reader';
    address.password = SECRET;
    url = address.href;
  });

  const read = (options: object, source = url) =>
    service
      .run('/data/ingest', { source, data_type: 'things', options: { schema_changes, ...options } })
      .then(readBack);

  it('keeps types, NULL apart from the empty text, and times in UTC', async () => {
    const { rows, types, bad } = await read({ table: 'outside.things' });
    expect(bad).toEqual([]);
    expect(types).toEqual({
      id: 'integer',
      Name: 'string',
      note: 'string',
      price: 'number',
      at: 'timestamp',
      local: 'timestamp',
      day: 'date',
      ok: 'boolean',
      doc: 'json',
      tags: 'string',
    });
    expect(rows[0]).toMatchObject({
      id: '9223372036854775807',
      Name: 'a',
      note: '',
      price: 1.1,
      at: '2024-03-31T01:30:00.000Z',
      local: '2024-03-31T03:30:00.000Z',
      day: '2024-02-29T00:00:00.000Z',
      ok: true,
      tags: '{p,q}',
    });
    expect(rows[1]).toMatchObject({ id: -1, Name: 'quote" comma, new\nline', note: null, tags: null, ok: false });
    expect(rows[2]).toMatchObject({ Name: '\\N', note: '\\N', local: null, day: null, ok: null, doc: null });
  });

  it('can be a query, and a choice of columns', async () => {
    const { rows } = await read({
      query: 'SELECT id, price * 2 AS double FROM outside.things WHERE id < 10 ORDER BY id -- all',
    });
    expect(rows).toEqual([
      { id: -1, double: -5 },
      { id: 3, double: 6 },
    ]);
    const part = await read({ table: 'outside.things', columns: ['Name'] });
    expect(Object.keys(part.rows[0]!)).toEqual(['Name']);
  });

  it('with times that no calendar has still gives an answer for its other rows', async () => {
    const { rows, bad } = await read({
      query: `SELECT 1 AS n, timestamptz 'infinity' AS at UNION ALL SELECT 2, timestamptz '0044-03-15 BC' UNION ALL SELECT n, now() FROM generate_series(3, 9) AS n`,
    });
    expect(rows.length + bad.length).toBe(9);
    expect(rows.length).toBeGreaterThanOrEqual(7);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown table', { table: 'outside.nothing' }, /does not exist/],
    ['a table that the user may not read', { table: 'public.jobs' }, /permission denied/],
    ['a query with a mistake', { query: 'SELEKT 1' }, /syntax error/],
    ['a query that writes', { query: 'DELETE FROM outside.things RETURNING *' }, /syntax error|cannot|permission/],
    ['two statements', { query: 'SELECT 1; SELECT 2' }, /syntax error/],
    ['a query that leaves its brackets', { query: 'SELECT 1) AS x; DROP TABLE outside.things; --' }, /syntax error/],
    ['an unknown column', { table: 'outside.things', columns: ['nope'] }, /nope/],
  ])('%s fails with what the source said', async (_title, options, message) => {
    const error = await service.fail('/data/ingest', { source: url, data_type: 'things', options });
    expect(error).toMatchObject({ code: 'source_unreadable', detail: expect.stringMatching(message) });
    expect(await service.query('SELECT 1 FROM outside.things')).toHaveLength(3);
  });

  it('needs a table or a query, and not both', async () => {
    for (const options of [{}, { table: 'a', query: 'SELECT 1' }]) {
      const answer = await service.post<ProblemBody>('/data/ingest', { source: url, data_type: 'x', options });
      expect(answer.status).toBe(422);
      expect(answer.body.errors?.[0]?.path).toMatch(/^options\.(table|query)$/);
    }
  });

  it('shows its credentials nowhere: no answer, job, workflow history or log has them, however the URL is written', async () => {
    const wrong = url.replace(SECRET, `${SECRET}-but-wrong`);
    const ids = [
      await service.start('/data/ingest', { source: wrong, data_type: 'sealed', options: { table: 'outside.things' } }),
      await service.start('/data/ingest', {
        source: url.replace('postgresql:', 'POSTGRES:'),
        data_type: 'sealed',
        options: { table: 'outside.things' },
      }),
      await service.start('/data/ingest', {
        source: url.replace('://', ':\t//'),
        data_type: 'sealed',
        options: { table: 'outside.things' },
      }),
    ];
    const [failed, upper, tabbed] = await Promise.all(ids.map((id) => service.ended(id)));
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'source_unreadable' } });
    expect(failed!.error!.detail).toMatch(/password authentication failed/);
    expect([upper!.status, tabbed!.status]).toEqual(['completed', 'completed']);
    const temporal = await service.temporal();
    for (const id of ids) {
      expect((await service.get(`/jobs/${id}`)).text).not.toContain(SECRET);
      const history = await temporal.workflow.getHandle(id).fetchHistory();
      const payloads = JSON.stringify(history, (_key, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
      );
      expect(payloads).toContain('planIngestion');
      expect(payloads).not.toContain(SECRET);
      expect(JSON.stringify((await temporal.workflow.getHandle(id).describe()).memo)).not.toContain(SECRET);
    }
    expect(JSON.stringify(await service.query('SELECT * FROM jobs'))).not.toContain(SECRET);
    expect(JSON.stringify(await service.query('SELECT * FROM datasets'))).not.toContain(SECRET);
    for (const part of PARTS)
      if (part !== 'postgres') expect(await readFile(service.stack.logFile(part), 'utf8')).not.toContain(SECRET);
  });

  it('that was given to a workflow from the command line is sealed in the job, so that a retry works', async () => {
    const temporal = await service.temporal();
    const handle = await temporal.workflow.start('ingestData', {
      taskQueue: 'pipeline',
      workflowId: 'ingest-from-the-command-line',
      args: [{ source: url, data_type: 'things', options: { table: 'outside.nothing' } }],
    });
    await handle.result().catch(() => undefined);
    const job = await service.ended('ingest-from-the-command-line');
    expect(job).toMatchObject({ status: 'failed', error: { code: 'source_unreadable' } });
    expect(JSON.stringify(job)).not.toContain(SECRET);
    const again = await service.ended(await service.start(`/jobs/${job.job_id}/retry`));
    expect(again).toMatchObject({ status: 'failed', error: { code: 'source_unreadable' } });
  });
});
