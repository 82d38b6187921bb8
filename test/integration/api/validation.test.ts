import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csv, Service, type ProblemBody } from './support/service.js';

const MODELS = `anything:
  kind: classification
  target: y
`;
const DATA_TYPES = `orders:
  columns:
    order: { type: string, required: true, unique: true }
    amount: { type: number, minimum: 0 }
  expectations:
    - { check: unique, columns: [customer, day] }
    - { check: pattern, column: customer, pattern: 'c[0-9]+' }
    - { check: rows, minimum: 10 }
    - { check: distribution, column: amount, severity: warning, minimum_effect: 0.2 }
    - { check: sql, name: no refunds, sql: 'SELECT _row FROM data WHERE amount = 13', severity: warning }
`;

interface Report {
  report_id: string;
  passed: boolean;
  failing_rows: number;
  errors: number;
  warnings: number;
  checks: { name: string; status: string; message: string; rows_failed?: number; observed?: Record<string, unknown> }[];
}

let service: Service;
const orders = (rows: number, amount: (at: number) => number | string, more: (string | number)[][] = []) =>
  csv(
    ['order', 'customer', 'day', 'amount'],
    [...Array.from({ length: rows }, (_, at) => [`o${at}`, `c${at % 50}`, at, amount(at)]), ...more],
  );
const ingest = async (content: string, data_type = 'orders', options: object = {}) =>
  service.run('/data/ingest', { source: service.file(`${service.key()}.csv`, content), data_type, options });

let first: string;
beforeAll(async () => {
  service = await Service.start(MODELS, {}, DATA_TYPES);
  first = String((await ingest(orders(200, (at) => at % 20)))['dataset_id']);
});
afterAll(() => service?.stop());

describe('POST /data/validate', () => {
  it('holds a dataset to what is asked, and keeps report and failing rows under one name', async () => {
    const body = {
      dataset_id: first,
      expectations: [
        { check: 'range', column: 'amount', maximum: 18 },
        { check: 'range', column: 'amount', maximum: 18, mostly: 0.9, name: 'most are small', severity: 'warning' },
        { check: 'references', column: 'customer', dataset_id: first },
        { check: 'sql', sql: 'SELECT _row FROM data WHERE amount = 19 AND day < 50', mostly: 0.5 },
      ],
    };
    const { status, body: report } = await service.post<Report>('/data/validate', body);
    expect(status).toBe(200);
    expect(report).toMatchObject({ passed: false, errors: 1, warnings: 0, failing_rows: 10 });
    expect(report.checks.map((one) => [one.name, one.status, one.rows_failed])).toEqual([
      ['range amount', 'failed', 10],
      ['most are small', 'passed', 10],
      ['references customer', 'passed', 0],
      ['sql', 'passed', 2],
    ]);
    const rows = await service.get<{ items: { row_number: number; reasons: string[]; content: string }[] }>(
      `/data/validations/${report.report_id}/rows`,
    );
    expect(rows.body.items).toHaveLength(10);
    expect(rows.body.items[0]).toMatchObject({ row_number: 20 });
    expect(rows.body.items[0]!.reasons).toHaveLength(3);
    expect(JSON.parse(rows.body.items[0]!.content)).toMatchObject({ order: 'o19', amount: 19 });
    // The same question has the same answer, and is kept once.
    const again = await service.post<Report>('/data/validate', body);
    expect(again.body).toEqual(report);
    expect((await service.get(`/data/validations/${report.report_id}`)).body).toEqual(report);
    expect((await service.get(`/data/datasets/${first}/validation`)).body).toEqual(report);
    const list = await service.get<{ items: { report_id: string }[] }>(`/data/validations?dataset_id=${first}`);
    expect(list.body.items.map((one) => one.report_id).filter((id) => id === report.report_id)).toHaveLength(1);
  });

  it('says so where there was nothing to check', async () => {
    const { body } = await service.post<Report & { note?: string }>('/data/validate', {
      dataset_id: first,
      expectations: [],
    });
    expect(body.note).toContain('Nothing was checked');
  });

  it('has a page without scripts, in which the data stays text', async () => {
    const { body: report } = await service.post<Report>('/data/validate', {
      dataset_id: first,
      expectations: [{ check: 'set', column: 'customer', values: ['<script>alert(1)</script>'] }],
    });
    const page = await service.call('GET', `/data/validations/${report.report_id}`, undefined, { accept: 'text/html' });
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.text).toContain('&lt;script&gt;');
    expect(page.text).not.toContain('<script');
  });

  it.each([
    [[{ check: 'not_null', column: 'nobody' }], 'expectations.0.column'],
    [[{ check: 'unique', columns: ['order', 'nobody'] }], 'expectations.0.columns.1'],
    [[{ check: 'pattern', column: 'order', pattern: '(' }], 'expectations.0.pattern'],
    [[{ check: 'range', column: 'amount' }], 'expectations.0.minimum'],
    [[{ check: 'references', column: 'order', data_type: 'nothing' }], 'expectations.0.data_type'],
    [[{ check: 'distribution', column: 'amount', against: 'ds_nothing' }], 'expectations.0.against'],
    [[{ check: 'guess' }], 'expectations.0.check'],
  ])('refuses %j with the path of the problem', async (expectations, path) => {
    const answer = await service.post<ProblemBody>('/data/validate', { dataset_id: first, expectations });
    expect(answer.status).toBe(422);
    expect(answer.body.errors?.map((one) => one.path)).toContain(path);
  });

  it('knows no dataset and no report that is not there', async () => {
    expect((await service.post('/data/validate', { dataset_id: 'ds_x' })).status).toBe(404);
    expect((await service.get('/data/validations/val_x')).status).toBe(404);
    expect((await service.get('/data/validations/val_x/rows')).status).toBe(404);
    expect((await service.get('/data/datasets/ds_x/validation')).status).toBe(404);
  });
});

describe('what a data type declares', () => {
  it('sends rows to quarantine with every reason, tells of warnings, and rejects a snapshot that is not as expected', async () => {
    const bad = [
      ['o7', 'nobody', 7000, -1],
      ['o7', 'c1', 7000, 1],
    ];
    const result = await ingest(orders(200, (at) => 13 + (at % 20), bad));
    expect(result).toMatchObject({ rows: 200, quarantined_rows: 2 });
    expect(JSON.stringify(result['warnings'])).toContain('no refunds');
    expect(JSON.stringify(result['warnings'])).toContain('more than chance');
    const id = String(result['dataset_id']);
    const { body } = await service.get<{ items: { reasons: string[] }[] }>(`/data/datasets/${id}/quarantine`);
    expect(body.items.map(({ reasons }) => reasons)).toEqual([
      ['column amount: below the minimum of 0', 'column customer: does not match c[0-9]+'],
      ['column order: the value was already in an earlier row'],
    ]);
    const report = await service.get<Report>(`/data/datasets/${id}/validation`);
    expect(report.body).toMatchObject({ passed: true, warnings: 2 });
    const source = service.file(
      'few.csv',
      orders(5, () => 1),
    );
    const error = await service.fail('/data/ingest', { source, data_type: 'orders' });
    expect(error).toMatchObject({ code: 'dataset_rejected', problems: [{ path: 'expectations.rows' }] });
  });
});

describe('the schema of a data type', () => {
  it('takes new columns and wider types, stops at lost ones until somebody accepts it', async () => {
    const table = (header: string[], row: (at: number) => (string | number)[]) =>
      csv(
        header,
        Array.from({ length: 30 }, (_, at) => row(at)),
      );
    await ingest(
      table(['a', 'b'], (at) => [at, at]),
      'things',
    );
    const wider = await ingest(
      table(['a', 'b', 'c'], (at) => [at + 0.5, at, 'x']),
      'things',
    );
    expect(wider['warnings']).toEqual([
      { path: 'columns.a', message: 'the type of a is widened from integer to number' },
      { path: 'columns.c', message: 'the column c is new, with the type string' },
    ]);
    // All whole by chance: nobody has narrowed anything.
    expect(
      (
        await ingest(
          table(['a', 'b', 'c'], (at) => [at, at, 'x']),
          'things',
        )
      )['warnings'],
    ).toBeUndefined();
    const source = service.file(
      'lost.csv',
      table(['a', 'c'], (at) => [at, 'x']),
    );
    const lost = await service.fail('/data/ingest', { source, data_type: 'things' });
    expect(lost).toMatchObject({
      code: 'schema_changed',
      problems: [{ path: 'columns.b', message: 'the column b (integer) is missing' }],
    });
    const list = await service.get<{ items: { version: number; current: boolean; accepted_at: string | null }[] }>(
      '/data/schemas/things',
    );
    expect(list.body.items.map(({ version, current }) => [version, current])).toEqual([
      [3, false],
      [2, true],
      [1, false],
    ]);
    expect(list.body.items[0]!.accepted_at).toBeNull();
    const accepted = await service.post('/data/schemas/things/accept', { version: 3 });
    expect(accepted.body).toMatchObject({ version: 3, current: true, accepted_by: 'local' });
    expect((await service.post('/data/schemas/things/accept', { version: 3 })).body).toEqual(accepted.body);
    await service.run('/data/ingest', { source, data_type: 'things' });
    expect((await service.post('/data/schemas/things/accept', { version: 9 })).status).toBe(404);
    expect((await service.get('/data/schemas/nothing')).status).toBe(404);
  });
});

describe('the quarantine', () => {
  it('can be corrected and replayed: what is good now follows the good rows, the rest stays with its reasons', async () => {
    const bad = [
      ['o900', 'C900', 900, '1.250 EUR'],
      ['o901', 'c901', 901, 'much'],
      ['o902', 'c902', 902, '7'],
      ['o3', 'c903', 903, '8'],
    ];
    const made = await ingest(orders(100, (at) => at % 20, bad));
    expect(made).toMatchObject({ rows: 101, quarantined_rows: 3 });
    const path = `/data/datasets/${String(made['dataset_id'])}/quarantine/replay`;
    const body = {
      rules: [
        { rule: 'cast_number', column: 'amount', decimal: ',' },
        { rule: 'lower', column: 'customer' },
      ],
      rows: [{ row_number: 102, values: { amount: 'still much' } }],
    };
    const key = { 'idempotency-key': service.key() };
    const accepted = await service.post<{ job_id: string }>(path, body, key);
    expect(accepted.status).toBe(202);
    expect((await service.post<{ job_id: string }>(path, body, key)).body.job_id).toBe(accepted.body.job_id);
    const job = await service.ended(accepted.body.job_id);
    expect(job, JSON.stringify(job.error)).toMatchObject({
      status: 'completed',
      result: { rows: 102, quarantined_rows: 2 },
    });
    const id = String(job.result!['dataset_id']);
    expect((await service.get(`/data/datasets/${id}`)).body).toMatchObject({
      data_type: 'orders',
      lineage: { operation: 'replay', parents: [{ dataset_id: made['dataset_id'] }] },
    });
    const rows = await service.get<{ items: Record<string, unknown>[] }>(`/data/datasets/${id}/rows?limit=500`);
    expect(rows.body.items.at(-1)).toEqual({ order: 'o900', customer: 'c900', day: 900, amount: 1250 });
    const left = await service.get<{ items: { row_number: number; reasons: string[] }[] }>(
      `/data/datasets/${id}/quarantine`,
    );
    expect(left.body.items.map(({ row_number: row, reasons }) => [row, reasons])).toEqual([
      [102, ['column amount: "still much" is not a number']],
      [104, ['column order: the value was already in an earlier row']],
    ]);
    const error = await service.fail(`/data/datasets/${id}/quarantine/replay`, {});
    expect(error.code).toBe('dataset_rejected');
    await expectPages(`/data/datasets/${id}/rows`, rows.body.items, 40);
    await expectPages(`/data/datasets/${id}/quarantine`, left.body.items, 1);
    expect((await service.get(`/data/datasets/${id}/rows?cursor=elsewhere`)).body).toMatchObject({
      errors: [{ path: 'cursor' }],
    });
  });

  /** Page by page there is what there is at once, and no page after the last. */
  async function expectPages(path: string, items: readonly object[], limit: number): Promise<void> {
    const pages: object[][] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body }: { body: { items: object[]; next_cursor: string | null } } = await service.get(
        `${path}?limit=${limit}${cursor && `&cursor=${cursor}`}`,
      );
      pages.push(body.items);
      cursor = body.next_cursor;
    }
    expect(pages.flat()).toEqual(items);
    expect(pages).toHaveLength(Math.ceil(items.length / limit));
  }

  it('refuses corrections of columns that are not there, and has nothing to do where nothing is in quarantine', async () => {
    const empty = await service.post<ProblemBody>(`/data/datasets/${first}/quarantine/replay`, {});
    expect([empty.status, empty.body.type]).toEqual([409, 'urn:problem:quarantine_empty']);
    expect((await service.post('/data/datasets/ds_x/quarantine/replay', {})).status).toBe(404);
    const made = await ingest(orders(100, (at) => at % 20, [['o900', 'c900', 900, -1]]));
    const answer = await service.post<ProblemBody>(`/data/datasets/${String(made['dataset_id'])}/quarantine/replay`, {
      rules: [{ rule: 'trim', column: 'nobody' }],
      rows: [{ row_number: 1, values: { nowhere: 1 } }],
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors?.map((one) => one.path)).toEqual(['rules.0.column', 'rows.0.values.nowhere']);
  });
});
