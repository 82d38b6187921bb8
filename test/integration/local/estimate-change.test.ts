import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { Database } from '../../../services/database/database.js';
import { estimateChange } from '../../../services/repair/estimate-change.js';
import { newPredictionId } from '../../../services/serving/prediction-id.js';
import { createPredictionStore } from '../../../services/serving/prediction-store.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 2, 2);
/** In the afternoon of the second day. */
const CHANGE = START + DAY_MS + 15 * HOUR_MS;
const ROWS = 3000;
const prng = createPrng(5);

let server: MigratedDatabase;
let database: Database;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  const rows = Array.from({ length: ROWS }, (_, at) => {
    const atMs = START + Math.floor(((at + 0.5) / ROWS) * 3 * DAY_MS);
    const isNew = atMs >= CHANGE;
    return JSON.stringify({
      id: newPredictionId(atMs),
      model: 'm',
      version: 'v1.0.0',
      entity_id: null,
      features: {
        usage: prng.nextGaussian() + (isNew ? 1 : 0),
        plan: isNew && prng.next() < 0.3 ? 'team' : 'pro',
        calm: 1,
      },
      predictions: { value: isNew ? prng.nextGaussian() * 3 : prng.nextGaussian() },
      latency_us: 1,
      cached: false,
      correlation_id: 'c',
      created_at: atMs,
    });
  });
  await createPredictionStore(database).write(rows, { firstMs: START, lastMs: START + 3 * DAY_MS - 1 });
});
afterAll(async () => {
  await server?.stop();
});

it('finds in the log when a column changed within a window of a day, and says nothing of what did not', async () => {
  const changeOf = (subject: string) =>
    estimateChange(database, {
      model: 'm',
      subject,
      firstBad: { start: new Date(START + DAY_MS), end: new Date(START + 2 * DAY_MS) },
      lastEnd: new Date(START + 3 * DAY_MS),
    });
  for (const subject of ['input:usage', 'input:plan', 'prediction:value']) {
    const found = await changeOf(subject);
    expect(
      Math.abs(Number(found) - CHANGE) / HOUR_MS,
      `hours between the estimate and the change of ${subject}`,
    ).toBeLessThan(2);
  }
  for (const subject of ['input:calm', 'input:none', 'metric:value.mae'])
    expect(await changeOf(subject)).toBeUndefined();
});
