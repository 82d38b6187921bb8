import type { Database } from '../services/database/database.js';

const DAY_MS = 86_400_000;
const LINES_AT_A_TIME = 2000;

interface Line {
  model: string;
  span: string;
  start: Date;
  version: string;
  arm: string;
  segment: string;
  answers: object;
  outcomes: object;
}

/**
 * Makes the sums of the log what they would be after many more predictions over a longer time: the days that there are, repeated over all
 * days, with every count and sum times as large. The log itself stays as it is, since nothing that reads the sums looks at it.
 * @param filled days that the sums cover now, up to `today` (ms), `days` that they are to cover, and `times` for each number
 */
export async function fillRollups(
  { pool }: Database,
  { today, filled, days, times }: { today: number; filled: number; days: number; times: number },
): Promise<number> {
  const { rows } = await pool.query<Line>('SELECT * FROM performance_rollups');
  await pool.query('TRUNCATE performance_rollups');
  const first = today - (days - 1) * DAY_MS;
  let lines: Line[] = [];
  let written = 0;
  const write = async () => {
    await pool.query(
      `INSERT INTO performance_rollups SELECT * FROM jsonb_populate_recordset(NULL::performance_rollups, $1::jsonb) ON CONFLICT DO NOTHING`,
      [JSON.stringify(lines)],
    );
    written += lines.length;
    lines = [];
  };
  for (const line of rows) {
    const large = { ...line, answers: enlarge(line.answers, times), outcomes: enlarge(line.outcomes, times) };
    for (let ms = line.start.getTime(); ms >= first; ms -= filled * DAY_MS) {
      lines.push({ ...large, start: new Date(ms) });
      if (lines.length === LINES_AT_A_TIME) await write();
    }
  }
  await write();
  await pool.query('VACUUM ANALYZE performance_rollups');
  return written;
}

/** The same sums of so many times the rows. */
function enlarge(value: object, times: number): object {
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([name, item]) => [
      name,
      typeof item === 'number' ? item * times : enlarge(item as object, times),
    ]),
  );
}
