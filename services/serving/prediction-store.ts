import type { Database } from '../database/database.js';
import type { Destination } from '../spool/ship-spool.js';

const DAY_MS = 86_400_000;

/** Classes of SQLSTATE that are about the data: 22 data exception, 23 integrity constraint violation. */
const OF_DATA = /^2[23]/;

export interface PredictionStore extends Destination {
  /**
   * Drops the days that are older than the retention, and the outcomes that were received before them.
   * @returns the names of the partitions that were dropped
   */
  applyRetention: (days: number, now: Date) => Promise<string[]>;
}

/** The table of predictions: a partition for each day (UTC), made when its first row comes. */
export function createPredictionStore({ pool }: Database): PredictionStore {
  const prepared = new Set<string>();

  async function preparePartitions(firstMs: number, lastMs: number): Promise<void> {
    for (let ms = Math.floor(firstMs / DAY_MS) * DAY_MS; ms <= lastMs; ms += DAY_MS) {
      const day = new Date(ms).toISOString().slice(0, 10);
      if (prepared.has(day)) continue;
      await pool.query('SELECT prepare_prediction_partition($1::date)', [day]);
      prepared.add(day);
    }
  }

  return {
    async write(rows, { firstMs, lastMs }) {
      await preparePartitions(firstMs, lastMs);
      // The database reads the rows; here they are never more than text.
      await pool.query(
        `INSERT INTO predictions (id, model, version, entity_id, features, predictions, latency_us, cached, correlation_id, created_at,
                arm, trial_id, propensity, stratum, error, shadow_of, caller)
         SELECT id, model, version, entity_id, features, predictions, latency_us, cached, correlation_id,
                to_timestamp(created_at / 1000.0), arm, trial_id, propensity, stratum, error, shadow_of, caller
         FROM json_to_recordset($1::json) AS row(id text, model text, version text, entity_id text, features jsonb,
              predictions jsonb, latency_us int, cached boolean, correlation_id text, created_at bigint,
              arm text, trial_id text, propensity float8, stratum text, error text, shadow_of text, caller text)
         ON CONFLICT DO NOTHING`,
        [`[${rows.join(',')}]`],
      );
    },
    isOfRows: (error) => OF_DATA.test(String((error as { code?: unknown }).code ?? '')),
    async applyRetention(days, now) {
      if (days === 0) return [];
      const oldest = new Date(now.getTime() - days * DAY_MS).toISOString().slice(0, 10);
      const { rows } = await pool.query<{ partition: string }>(
        'SELECT drop_prediction_partitions($1::date) AS partition',
        [oldest],
      );
      for (const { partition } of rows) prepared.delete(dayOf(partition));
      return rows.map(({ partition }) => partition);
    },
  };
}

/** `predictions_20260131` holds 2026-01-31. */
const dayOf = (partition: string) => partition.replace(/^predictions_(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3');
