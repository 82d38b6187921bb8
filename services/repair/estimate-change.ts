import { findChangePoint, type Cell } from '../../ml/drift/change-point.js';
import type { Database } from '../database/database.js';

/** Rows that are looked at, evenly over the time. */
const MOST_ROWS = 20_000;

/** What changed, in which windows. */
export interface ChangedThing {
  model: string;
  /** As findings name it: `input:{column}` or `prediction:{head}`; of others no moment is estimated. */
  subject: string;
  /** The first window that was not ok, and the end of the last one that was looked at. */
  firstBad: { start: Date; end: Date };
  lastEnd: Date;
}

const COLUMNS: Record<string, string> = { input: 'features', prediction: 'predictions' };

/**
 * Estimates when a column changed, from the rows of the log between the window before the first bad one and the last window. A window
 * of a day may hold hours of the world as it was: who learns from its start learns from both.
 * @returns undefined where the log does not tell
 */
export async function estimateChange(
  { pool }: Pick<Database, 'pool'>,
  { model, subject, firstBad, lastEnd }: ChangedThing,
): Promise<Date | undefined> {
  const [what = '', name = ''] = subject.split(/:(.*)/s);
  const column = COLUMNS[what];
  if (column === undefined) return undefined;
  const lengthMs = firstBad.end.getTime() - firstBad.start.getTime();
  const from = new Date(firstBad.start.getTime() - lengthMs);
  const { rows } = await pool.query<{ at: Date; cell: unknown }>(
    `SELECT at, cell FROM (
       SELECT created_at AS at, ${column} -> $1::text AS cell, row_number() OVER (ORDER BY created_at, id) AS number, count(*) OVER () AS rows
       FROM predictions WHERE model = $2 AND created_at >= $3 AND created_at < $4 AND shadow_of IS NULL AND error IS NULL) logged
     WHERE number % greatest(1, rows / ${MOST_ROWS}) = 0 ORDER BY number`,
    [name, model, from, lastEnd],
  );
  const before = rows.filter(({ at }) => at < firstBad.start).length;
  const lastStart = lastEnd.getTime() - lengthMs;
  const after = rows.filter(({ at }) => at.getTime() >= lastStart).length;
  const first = findChangePoint(
    rows.map(({ cell }) => cellOf(cell)),
    { before, after },
  );
  return first === undefined ? undefined : rows[first]!.at;
}

/** Texts that are numbers are read as such, as a model does. */
function cellOf(value: unknown): Cell {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'number') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return Number.isFinite(Number(text)) ? Number(text) : text;
}
