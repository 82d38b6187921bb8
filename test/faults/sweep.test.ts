import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Part } from '../../infra/local/local-stack.js';
import { createPrng } from '../../ml/random/prng.js';
import { queryDatabase } from '../support/query-database.js';
import { Service } from '../integration/api/support/service.js';
import { learnableTable } from '../integration/api/support/tables.js';
import { pause } from '../support/api-client.js';

/** `SWEEP_KILLS=20` for the long run. */
const KILLS = Number(process.env['SWEEP_KILLS'] ?? 4);
const MODELS = `customers:
  kind: classification
  algorithm: random_forest
  source: customers
  entity: customer
  target: outcome
  exclude: [coin, spend, signed_up]
`;
/** A configuration in ten is poisoned: it names no algorithm's value. Trials take about a second, so a kill lands in the middle of some. */
const SEARCH = {
  trials: 10 * KILLS,
  parallelism: 4,
  seed: 11,
  warm_start: false,
  space: {
    n_estimators: { type: 'int', low: 200, high: 900 },
    max_depth: { type: 'int', low: 2, high: 30 },
    max_features: { type: 'categorical', choices: ['sqrt', 'log2', 'all', 0.5, 0.7, 0.9, 'poison'] },
  },
};

let service: Service;
const databaseUrl = () => service.stack.addresses.databaseUrl;

/** The whole table as text, times and places apart. */
async function tableOf(sweepId: string): Promise<string> {
  const rows = await queryDatabase(
    databaseUrl(),
    `SELECT index, configuration, source, state, reports, losses, violation, metrics, reason FROM sweep_trials
     WHERE sweep_id = $1 ORDER BY index`,
    [sweepId],
  );
  return JSON.stringify(rows, undefined, 1);
}

async function countOf(sweepId: string): Promise<{ ended: number; attempts: number }> {
  const [row] = await queryDatabase<{ ended: number; attempts: number }>(
    databaseUrl(),
    `SELECT count(*) FILTER (WHERE state <> 'running')::int AS ended, coalesce(max(attempts), 0)::int AS attempts
     FROM sweep_trials WHERE sweep_id = $1`,
    [sweepId],
  );
  return row!;
}

beforeAll(async () => {
  service = await Service.start(MODELS);
  service.file('customers.csv', learnableTable(800));
  await service.run('/data/ingest', { source: 'customers.csv', data_type: 'customers' });
});
afterAll(() => service?.stop());

describe('a sweep whose workers are killed', () => {
  it(`has the table of the undisturbed run, to the byte, after ${KILLS} kills`, async () => {
    const request = { model_type: 'customers', search: SEARCH };
    const undisturbed = await service.ended(await service.start('/models/train', request), 240_000);
    expect(undisturbed.status).toBe('completed');
    const expected = await tableOf(`sweep-${undisturbed.job_id}`);
    expect(expected).toContain('"state": "failed"');
    expect(expected).toContain('"state": "pruned"');
    // Otherwise the second sweep would take over what the first has measured.
    await queryDatabase(databaseUrl(), `UPDATE sweep_trials SET cache_key = 'spent-' || cache_key`);

    const id = await service.start('/models/train', request);
    const prng = createPrng(20_261_128);
    for (let kill = 0; kill < KILLS; kill++) {
      const { ended } = await countOf(`sweep-${id}`);
      const due = Math.min(Math.max(ended + 1, Math.floor(((kill + 0.5) * SEARCH.trials) / KILLS)), SEARCH.trials - 1);
      while ((await countOf(`sweep-${id}`)).ended < due) await pause(50);
      await pause(Math.floor(prng.next() * 600));
      const part: Part = kill % 4 === 3 ? 'pipeline-worker' : 'training-worker';
      service.stack.kill9(part);
    }
    const disturbed = await service.ended(id, 600_000);
    expect(disturbed.status).toBe('completed');
    expect(await tableOf(`sweep-${id}`)).toBe(expected);
    expect((await countOf(`sweep-${id}`)).attempts, 'a kill must have hit a trial').toBeGreaterThan(1);
    expect(disturbed.result!['digest'], 'the version must be the same to the bit').toBe(undisturbed.result!['digest']);
  }, 1_200_000);
});
