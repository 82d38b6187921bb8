import { describe, expect, it } from 'vitest';
import { featureViewSchema } from '../../../core/schemas/feature-view.js';
import { createPrng } from '../../../ml/random/prng.js';
import { queryRows, withDuckDb } from '../../../services/duckdb.js';
import { historicalSql } from '../../../services/features/point-in-time-sql.js';
import {
  oracleAsOf,
  randomAsks,
  randomHistory,
  type Ask,
  type HistoryRow,
  type Known,
} from './point-in-time-oracle.js';

const viewOf = (ttlSeconds: number, isBitemporal: boolean) =>
  featureViewSchema.parse({
    owner: 'test',
    entity: 'user_id',
    event_time: 'happened_at',
    ...(isBitemporal ? { available_time: 'known_at' } : {}),
    ttl_seconds: ttlSeconds,
    source: 'histories',
    features: { value: { type: 'number' } },
  });

async function answer(rows: readonly HistoryRow[], asks: readonly Ask[], ttlSeconds: number, isBitemporal: boolean) {
  return withDuckDb(async (connection) => {
    const history = JSON.stringify(rows.map((row, at) => ({ ...row, _row: at })));
    await connection.run(
      `CREATE TABLE rows AS SELECT entity AS user_id, make_timestamp(event) AS happened_at, make_timestamp(available) AS known_at, value, _row
       FROM (SELECT unnest(from_json($history::JSON, '[{"entity":"VARCHAR","event":"BIGINT","available":"BIGINT","value":"DOUBLE","_row":"BIGINT"}]'), recursive := true))`,
      { history },
    );
    await connection.run(
      `CREATE TABLE asked AS SELECT ask AS _ask, entity AS _entity, "at" AS _at_us
       FROM (SELECT unnest(from_json($asks::JSON, '[{"ask":"BIGINT","entity":"VARCHAR","at":"BIGINT"}]'), recursive := true))`,
      { asks: JSON.stringify(asks.map((ask, at) => ({ ...ask, ask: at }))) },
    );
    const found = await queryRows<{ _status: Known['status']; value: number | null }>(
      connection,
      `SELECT _status, value FROM (${historicalSql(viewOf(ttlSeconds, isBitemporal), 'rows', 'asked')}) ORDER BY _ask`,
    );
    return found.map(({ _status: status, value }): Known => ({ status, value }));
  });
}

describe('a point-in-time join', () => {
  it('answers 10,000 random histories as a search through every row does', async () => {
    const prng = createPrng(20_261_128);
    const seen = { fresh: 0, expired: 0, missing: 0 };
    for (let batch = 0; batch < 20; batch++) {
      const isBitemporal = batch % 4 !== 0;
      const ttlSeconds = 1 + Math.floor(prng.next() * 12);
      const entities = Array.from({ length: 500 }, (_, at) => `e${at}`);
      const histories = new Map(entities.map((entity) => [entity, randomHistory(prng, entity, isBitemporal)]));
      const asks = entities.flatMap((entity) => randomAsks(prng, entity));
      const found = await answer([...histories.values()].flat(), asks, ttlSeconds, isBitemporal);
      const expected = asks.map((ask) => oracleAsOf(histories.get(ask.entity)!, ask, ttlSeconds * 1e6));
      expect(found).toEqual(expected);
      for (const { status } of expected) seen[status] += 1;
    }
    expect(Math.min(...Object.values(seen)), 'each answer was common').toBeGreaterThan(3000);
  }, 120_000);

  it('lets a late row about an earlier time change nothing, and a correction count from when it came', async () => {
    const row = (event: number, available: number, value: number) => ({
      entity: 'u',
      event: event * 1e6,
      available: available * 1e6,
      value,
    });
    const rows = [row(10, 10, 1), row(5, 12, 2), row(10, 14, 3)];
    const asks = [9, 10, 13, 14].map((at) => ({ entity: 'u', at: at * 1e6 }));
    expect((await answer(rows, asks, 100, true)).map(({ value }) => value)).toEqual([null, 1, 1, 3]);
  });

  it('gives no value once it is older than its time to live, to the microsecond', async () => {
    const rows = [{ entity: 'u', event: 0, available: 0, value: 1 }];
    const asks = [5e6, 5e6 + 1].map((at) => ({ entity: 'u', at }));
    expect((await answer(rows, asks, 5, true)).map(({ status }) => status)).toEqual(['fresh', 'expired']);
  });
});
