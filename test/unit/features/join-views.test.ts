import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureViewSchema } from '../../../core/schemas/feature-view.js';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import { DATA_FILE } from '../../../services/datasets/manifest.js';
import { writeJoinedTable } from '../../../services/features/write-joined-table.js';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

let folder: string;
const fileOf = (dataset: string) => join(folder, dataset, DATA_FILE);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-join-'));
  await withDuckDb(async (connection) => {
    for (const [dataset, sql] of [
      [
        'ds_log',
        `SELECT * FROM (VALUES ('a', TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-02', 5.0), ('a', TIMESTAMP '2024-01-03', TIMESTAMP '2024-01-09', 7.0)) t(customer, seen_at, known_at, score)`,
      ],
      [
        'ds_orders',
        `SELECT * FROM (VALUES ('a', TIMESTAMP '2024-01-01 12:00:00', 10.0, 'x'), ('a', TIMESTAMP '2024-01-05', 20.0, 'y'), ('a', TIMESTAMP '2024-01-10', 70.0, 'z'), ('b', TIMESTAMP '2024-01-10', 1.0, 'w')) t(customer, ordered_at, price, label)`,
      ],
    ] as const) {
      mkdirSync(dirname(fileOf(dataset)), { recursive: true });
      await connection.run(`COPY (${sql}) TO ${quoteText(fileOf(dataset))}`);
    }
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a training table with feature views', () => {
  it('has each row with what was known of its entity at its time, in the order of the rows', async () => {
    const definition = featureViewSchema.parse({
      owner: 'tests',
      entity: 'customer',
      event_time: 'seen_at',
      available_time: 'known_at',
      ttl_seconds: 86_400 * 30,
      source: 'log',
      features: { score: { type: 'number' } },
      request: { price: { type: 'number' }, unknown: { type: 'string' } },
      on_demand: {
        ratio: { type: 'number', expression: 'price / score' },
        label: { type: 'string', expression: 'unknown' },
      },
    });
    const file = await writeJoinedTable({
      views: [
        {
          view: 'behaviour',
          version: 1,
          digest: '',
          definition,
          inputs: { log: { dataset_id: 'ds_log', digest: '' } },
        },
      ],
      entity: 'customer',
      timestamp: 'ordered_at',
      source: [fileOf('ds_orders')],
      datasetsFolder: folder,
      staging: folder,
    });
    const rows = await withDuckDb((connection) =>
      queryRows(connection, `SELECT * EXCLUDE (ordered_at) FROM read_parquet(${quoteText(file)})`),
    );
    expect(rows).toEqual([
      { customer: 'a', price: 10, label: 'x', behaviour__score: null, behaviour__ratio: null, behaviour__label: null },
      { customer: 'a', price: 20, label: 'y', behaviour__score: 5, behaviour__ratio: 4, behaviour__label: null },
      { customer: 'a', price: 70, label: 'z', behaviour__score: 7, behaviour__ratio: 10, behaviour__label: null },
      { customer: 'b', price: 1, label: 'w', behaviour__score: null, behaviour__ratio: null, behaviour__label: null },
    ]);
  });
});
