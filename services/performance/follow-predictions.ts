import type { PoolClient } from 'pg';
import { tallyAnswer } from '../../core/monitoring/answer-tally.js';
import type { Tally } from '../../core/monitoring/tally.js';
import { addToRollups } from './rollup-store.js';
import { hourOf, TallySheet } from './tally-sheet.js';
import type { WatchedModels } from './watched-models.js';

/** A row of the log as it is followed. */
export interface FollowedRow {
  id: string;
  model: string;
  version: string;
  arm: string | null;
  features: Record<string, unknown>;
  predictions: Record<string, unknown>;
  latency_us: number;
  cached: boolean;
  error: string | null;
  created_at: Date;
}

/** Rows at once in memory. */
const ROWS_AT_A_TIME = 2000;
/** About as many rows a transaction, unless one transaction has written more. */
const MOST_ROWS = 40_000;
/** Lines are written when there are more: a first run sums up years. */
const MOST_LINES = 5000;

export interface FollowContext {
  client: PoolClient;
  models: WatchedModels;
}

/**
 * How far the log can be read now: all transactions below have ended, and no more than about as many rows lie before it.
 * @returns undefined where there is nothing new
 */
export async function nextBound(
  client: PoolClient,
  { table, from, mostRows }: { table: 'predictions' | 'prediction_outcomes'; from: string; mostRows: number },
): Promise<string | undefined> {
  const { rows } = await client.query<{ bound: string; found: boolean }>(
    `WITH snapshot AS (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + arrival_offset() AS oldest)
     SELECT coalesce((SELECT greatest(arrival, $1::bigint + 1) FROM ${table}, snapshot WHERE arrival >= $1 AND arrival < oldest
                      ORDER BY arrival OFFSET $2 LIMIT 1), oldest)::text AS bound,
       EXISTS (SELECT FROM ${table} WHERE arrival >= $1 AND arrival < oldest) AS found FROM snapshot`,
    [from, mostRows],
  );
  return rows[0]!.found ? rows[0]!.bound : undefined;
}

/** Where a log was left; the row is locked, so that only one process follows. */
export async function readCursor(client: PoolClient, log: string): Promise<string> {
  const { rows } = await client.query<{ arrival: string }>(
    'SELECT arrival::text FROM rollup_cursors WHERE log = $1 FOR UPDATE',
    [log],
  );
  return rows[0]!.arrival;
}

export async function moveCursor(client: PoolClient, log: string, arrival: string): Promise<void> {
  await client.query('UPDATE rollup_cursors SET arrival = $2, moved_at = CURRENT_TIMESTAMP WHERE log = $1', [
    log,
    arrival,
  ]);
}

/**
 * Sums up the predictions that have arrived since the last time, in the transaction of the client: its commit moves the cursor too, so that
 * each row counts once whoever dies.
 * @param onRow sees each row, in the order of arrival
 * @returns how many rows there were
 */
export async function followPredictions(
  { client, models }: FollowContext,
  onRow: (row: FollowedRow) => Promise<void>,
): Promise<number> {
  const from = await readCursor(client, 'predictions');
  const bound = await nextBound(client, { table: 'predictions', from, mostRows: MOST_ROWS });
  if (bound === undefined) return 0;
  await client.query(
    `DECLARE followed NO SCROLL CURSOR FOR SELECT id, model, version, arm, features, predictions, latency_us, cached, error, created_at
     FROM predictions WHERE arrival >= ${BigInt(from)} AND arrival < ${BigInt(bound)} ORDER BY arrival, created_at, id`,
  );
  const sheet = new TallySheet();
  let read = 0;
  for (;;) {
    const { rows } = await client.query<FollowedRow>(`FETCH ${ROWS_AT_A_TIME} FROM followed`);
    for (const row of rows) {
      await tallyRow(row, sheet, models);
      await onRow(row);
    }
    read += rows.length;
    const isLast = rows.length < ROWS_AT_A_TIME;
    if (isLast || sheet.size > MOST_LINES) {
      await addToRollups(client, sheet.lines());
      sheet.clear();
    }
    if (isLast) break;
  }
  await client.query('CLOSE followed');
  await moveCursor(client, 'predictions', bound);
  return read;
}

async function tallyRow(row: FollowedRow, sheet: TallySheet, models: WatchedModels): Promise<void> {
  const { model, version, arm, predictions, latency_us: latencyUs, cached: isCached, error } = row;
  const tally: Tally = {};
  tallyAnswer(tally, { predictions, latencyUs, isCached, error }, await models.heads(model, version));
  const key = { model, version, arm: arm ?? '', hourMs: hourOf(row.created_at.getTime()) };
  sheet.addToSegments(key, await models.segments(model, row.features), 'answers', tally);
}
