import type { Pool, PoolClient } from 'pg';
import { addUp, type Tally } from '../../core/monitoring/tally.js';
import type { TallyLine, TallyPart } from './tally-sheet.js';

export type Span = 'hour' | 'day';

/** One row of the rollups. */
export interface Rollup {
  start: Date;
  version: string;
  arm: string;
  segment: string;
  answers: Tally;
  outcomes: Tally;
}

interface SpanLine extends Rollup {
  model: string;
  span: Span;
}

const DAY_MS = 86_400_000;
const keyOf = ({ model, span, start, version, arm, segment }: SpanLine) =>
  JSON.stringify([model, span, start.getTime(), version, arm, segment]);

/** The lines by hour, and once more by day. */
function spansOf(lines: readonly TallyLine[]): SpanLine[] {
  const found = new Map<string, SpanLine>();
  for (const { hourMs, answers, outcomes, ...key } of lines)
    for (const span of ['hour', 'day'] as const) {
      const startMs = span === 'hour' ? hourMs : Math.floor(hourMs / DAY_MS) * DAY_MS;
      const line: SpanLine = { ...key, span, start: new Date(startMs), answers: {}, outcomes: {} };
      const known = found.get(keyOf(line)) ?? line;
      found.set(keyOf(line), known);
      addUp(known.answers, answers);
      addUp(known.outcomes, outcomes);
    }
  return [...found.values()];
}

const KEYS = `jsonb_to_recordset($1::jsonb) AS k(model text, span text, start timestamptz, version text, arm text, segment text`;

/** Adds to the rollups, in the transaction of the client: whoever calls is the only writer. */
export async function addToRollups(client: PoolClient, lines: readonly TallyLine[]): Promise<void> {
  const spans = spansOf(lines);
  if (spans.length === 0) return;
  const keys = JSON.stringify(spans.map(({ answers: _, outcomes: __, ...key }) => key));
  const { rows } = await client.query<SpanLine>(
    `SELECT r.* FROM ${KEYS}) JOIN performance_rollups r USING (model, span, start, version, arm, segment)`,
    [keys],
  );
  const before = new Map(rows.map((row) => [keyOf(row), row]));
  for (const line of spans) {
    const known = before.get(keyOf(line));
    if (!known) continue;
    line.answers = addUp(known.answers, line.answers);
    line.outcomes = addUp(known.outcomes, line.outcomes);
  }
  await writeLines(client, spans);
}

async function writeLines(client: PoolClient, lines: readonly SpanLine[]): Promise<void> {
  await client.query(
    `INSERT INTO performance_rollups (model, span, start, version, arm, segment, answers, outcomes)
     SELECT k.* FROM ${KEYS}, answers jsonb, outcomes jsonb)
     ON CONFLICT (model, span, start, version, arm, segment) DO UPDATE SET answers = EXCLUDED.answers, outcomes = EXCLUDED.outcomes`,
    [JSON.stringify(lines)],
  );
}

/** Puts the outcomes of an hour in the place of those that it had; the day then is the sum of its hours. */
export async function replaceOutcomes(
  client: PoolClient,
  { model, hour }: { model: string; hour: Date },
  lines: readonly TallyLine[],
): Promise<void> {
  await client.query(
    `UPDATE performance_rollups SET outcomes = '{}' WHERE model = $1 AND span = 'hour' AND start = $2 AND outcomes <> '{}'`,
    [model, hour],
  );
  const hours = spansOf(lines).filter(({ span }) => span === 'hour');
  const known = await linesOf(client, model, 'hour', hour, new Date(hour.getTime() + 1));
  for (const line of hours) line.answers = known.find((row) => keyOf(row) === keyOf(line))?.answers ?? {};
  if (hours.length > 0) await writeLines(client, hours);
  const day = new Date(Math.floor(hour.getTime() / DAY_MS) * DAY_MS);
  const days = new Map<string, SpanLine>();
  for (const row of await linesOf(client, model, 'hour', day, new Date(day.getTime() + DAY_MS))) {
    const line: SpanLine = { ...row, span: 'day', start: day, answers: {}, outcomes: {} };
    const sum = days.get(keyOf(line)) ?? line;
    days.set(keyOf(line), sum);
    addUp(sum.outcomes, row.outcomes);
    addUp(sum.answers, row.answers);
  }
  await writeLines(client, [...days.values()]);
}

async function linesOf(client: PoolClient, model: string, span: Span, from: Date, to: Date): Promise<SpanLine[]> {
  const { rows } = await client.query<SpanLine>(
    'SELECT * FROM performance_rollups WHERE model = $1 AND span = $2 AND start >= $3 AND start < $4',
    [model, span, from, to],
  );
  return rows;
}

export interface RollupQuery {
  model: string;
  span: Span;
  /** In [from, to). */
  from: Date;
  to: Date;
  version?: string;
  /** `''` for all rows; a feature's name for each of its values. */
  segment: string;
  parts: readonly TallyPart[];
}

/** Rollups of a time, earliest first. */
export async function readRollups(pool: Pool, query: RollupQuery): Promise<Rollup[]> {
  const { model, span, from, to, version, segment, parts } = query;
  const part = (name: TallyPart) => (parts.includes(name) ? name : `'{}'::jsonb AS ${name}`);
  const { rows } = await pool.query<Rollup>(
    `SELECT start, version, arm, segment, ${part('answers')}, ${part('outcomes')} FROM performance_rollups
     WHERE model = $1 AND span = $2 AND start >= $3 AND start < $4 AND ($5::text IS NULL OR version = $5)
       AND (segment = $6 OR ($6 <> '' AND starts_with(segment, $6 || '=')))
     ORDER BY start, version, arm, segment`,
    [model, span, from, to, version ?? null, segment],
  );
  return rows;
}

/** How far the rollups reach. */
export interface RollupProgress {
  /** When answers, and outcomes, were last summed up. */
  predictions_at: string;
  outcomes_at: string;
  /** Hours whose outcomes are to be summed up anew. */
  hours_to_correct: number;
}

export async function readProgress(pool: Pool, model: string): Promise<RollupProgress> {
  const { rows } = await pool.query<{ log: TallyPart | 'predictions'; moved_at: Date }>(
    'SELECT log, moved_at FROM rollup_cursors',
  );
  const { rows: waiting } = await pool.query<{ hours: number }>(
    'SELECT count(*)::int AS hours FROM rollup_corrections WHERE model = $1',
    [model],
  );
  const at = (log: string) => (rows.find((row) => row.log === log)?.moved_at ?? new Date(0)).toISOString();
  return { predictions_at: at('predictions'), outcomes_at: at('outcomes'), hours_to_correct: waiting[0]!.hours };
}
