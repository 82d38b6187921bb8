import type { PoolClient } from 'pg';
import { tallyOutcome } from '../../core/monitoring/outcome-tally.js';
import type { Tally } from '../../core/monitoring/tally.js';
import { createdAtOf } from '../serving/prediction-id.js';
import { moveCursor, nextBound, readCursor, type FollowContext } from './follow-predictions.js';
import { addToRollups, replaceOutcomes } from './rollup-store.js';
import { hourOf, TallySheet } from './tally-sheet.js';
import type { WatchedModels } from './watched-models.js';

/** Outcomes a transaction. */
const MOST_ROWS = 5000;

interface ArrivedOutcome {
  prediction_id: string;
  outcome: Record<string, unknown>;
  received_at: Date;
  revision: number;
  /** Whether it is the only report of its prediction. */
  is_only: boolean;
}

/** A prediction with its truth. */
export interface JudgedRow {
  id: string;
  model: string;
  version: string;
  arm: string | null;
  features: Record<string, unknown>;
  predictions: Record<string, unknown>;
  error: string | null;
  created_at: Date;
  outcome: Record<string, unknown>;
}

const COLUMNS = 'p.id, p.model, p.version, p.arm, p.features, p.predictions, p.error, p.created_at';

/**
 * Sums up the outcomes that have arrived since the last time. The first one of a prediction is added; where one was corrected or came
 * again, the hour of its prediction is noted to be summed up anew.
 * @param onLoss sees the losses of each first outcome, by head
 * @returns how many rows there were
 */
export async function followOutcomes(
  { client, models }: FollowContext,
  onLoss: (row: JudgedRow & { received_at: Date }, losses: Record<string, number>) => Promise<void>,
): Promise<number> {
  const from = await readCursor(client, 'outcomes');
  const bound = await nextBound(client, { table: 'prediction_outcomes', from, mostRows: MOST_ROWS });
  if (bound === undefined) return 0;
  const { rows: arrived } = await client.query<ArrivedOutcome>(
    `SELECT o.prediction_id, o.outcome, o.received_at, o.revision, NOT EXISTS (SELECT FROM prediction_outcomes r
       WHERE r.prediction_id = o.prediction_id AND r.observed_at <> o.observed_at) AS is_only
     FROM prediction_outcomes o WHERE o.arrival >= $1 AND o.arrival < $2 ORDER BY o.arrival, o.prediction_id`,
    [from, bound],
  );
  const predictions = await findPredictions(client, [...new Set(arrived.map((row) => row.prediction_id))]);
  const sheet = new TallySheet();
  const corrected = new Map<string, { model: string; hour: Date }>();
  for (const { prediction_id: id, outcome, received_at, revision, is_only: isOnly } of arrived) {
    const found = predictions.get(id);
    // Retention, or an erasure, was faster.
    if (!found) continue;
    if (isOnly && revision === 1) {
      const row = { ...found, outcome, received_at };
      await onLoss(row, await tallyRow(row, sheet, models));
      continue;
    }
    const hour = new Date(hourOf(found.created_at.getTime()));
    corrected.set(`${found.model} ${hour.getTime()}`, { model: found.model, hour });
  }
  await addToRollups(client, sheet.lines());
  await client.query(
    `INSERT INTO rollup_corrections (model, hour) SELECT model, hour FROM jsonb_to_recordset($1::jsonb) AS c(model text, hour timestamptz)
     ON CONFLICT DO NOTHING`,
    [JSON.stringify([...corrected.values()])],
  );
  await moveCursor(client, 'outcomes', bound);
  return arrived.length;
}

async function findPredictions(
  client: PoolClient,
  ids: readonly string[],
): Promise<Map<string, Omit<JudgedRow, 'outcome'>>> {
  const keys = ids.map((id) => ({ id, at: createdAtOf(id) ?? null }));
  // The time in the id names the partition.
  const { rows } = await client.query<Omit<JudgedRow, 'outcome'>>(
    `SELECT ${COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS k(id text, at timestamptz) JOIN predictions p ON p.id = k.id AND p.created_at = k.at`,
    [JSON.stringify(keys)],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length === 0) return found;
  // Ids of earlier releases do not tell their time.
  const { rows: others } = await client.query<Omit<JudgedRow, 'outcome'>>(
    `SELECT ${COLUMNS} FROM predictions p WHERE p.id = ANY($1)`,
    [missing],
  );
  for (const row of others) found.set(row.id, row);
  return found;
}

async function tallyRow(row: JudgedRow, sheet: TallySheet, models: WatchedModels): Promise<Record<string, number>> {
  // Another version answered in the place of one that failed.
  if (row.error !== null) return {};
  const { model, version, arm } = row;
  const tally: Tally = {};
  const losses = tallyOutcome(tally, row.predictions, row.outcome, await models.heads(model, version));
  const key = { model, version, arm: arm ?? '', hourMs: hourOf(row.created_at.getTime()) };
  sheet.addToSegments(key, await models.segments(model, row.features), 'outcomes', tally);
  return losses;
}

/**
 * Sums up the outcomes of one hour anew that had a correction, with the newest report of each prediction among those that were followed
 * already; what arrives later is added then.
 * @returns whether there was one
 */
export async function correctHour({ client, models }: FollowContext): Promise<boolean> {
  const { rows: hours } = await client.query<{ model: string; hour: Date }>(
    'DELETE FROM rollup_corrections WHERE (model, hour) = (SELECT model, hour FROM rollup_corrections ORDER BY hour DESC, model LIMIT 1) RETURNING *',
  );
  const hour = hours[0];
  if (!hour) return false;
  const bound = await readCursor(client, 'outcomes');
  await client.query(
    `DECLARE judged NO SCROLL CURSOR FOR SELECT ${COLUMNS}, o.outcome FROM predictions p CROSS JOIN LATERAL (
       SELECT outcome FROM prediction_outcomes WHERE prediction_id = p.id AND arrival < ${BigInt(bound)} ORDER BY observed_at DESC LIMIT 1) o
     WHERE p.model = $1 AND p.created_at >= $2 AND p.created_at < $2::timestamptz + interval '1 hour'`,
    [hour.model, hour.hour],
  );
  const sheet = new TallySheet();
  let read = 0;
  for (;;) {
    const { rows } = await client.query<JudgedRow>(`FETCH ${MOST_ROWS} FROM judged`);
    for (const row of rows) await tallyRow(row, sheet, models);
    read += rows.length;
    if (rows.length < MOST_ROWS) break;
  }
  await client.query('CLOSE judged');
  // The log may have dropped the hour meanwhile: what was summed up stays.
  if (read > 0) await replaceOutcomes(client, hour, sheet.lines());
  return true;
}
