import { summariseAnswers } from '../../core/monitoring/summarise-answers.js';
import { addUp, type Tally } from '../../core/monitoring/tally.js';
import { daysOfQuery, type AnalyticsQuery } from '../../core/schemas/analytics.js';
import type { Database } from '../database/database.js';
import { readProgress, readRollups, type Rollup } from './rollup-store.js';

/** What a version under trial would have answered; nobody got it. */
const SHADOW = 'shadow';

/** What a model has answered, from the rollups: in all, by version, and as a series. */
export async function readPredictionAnalytics(
  { pool }: Database,
  model: string,
  query: AnalyticsQuery,
  nowMs: number,
): Promise<object> {
  const { from, to, ...days } = daysOfQuery(query, nowMs);
  const { interval, version, segment = '' } = query;
  const rollups = await readRollups(pool, { model, span: interval, from, to, version, segment, parts: ['answers'] });
  const answered = rollups.filter(({ arm, answers }) => arm !== SHADOW && Object.keys(answers).length > 0);
  const series = groupTallies(answered, (row) => ({ start: row.start.toISOString(), segment: row.segment }));
  const versions = groupTallies(answered.toReversed(), (row) => ({
    version: row.version,
    arm: row.arm || null,
    segment: row.segment,
  }));
  return {
    model,
    ...days,
    interval,
    totals: summariseAnswers(sumOf(answered)),
    versions: versions.map(({ key, tally }) => ({ ...key, ...summariseAnswers(tally) })),
    series: series.map(({ key, tally, rows }) => ({
      ...key,
      ...summariseAnswers(tally),
      versions: requestsByVersion(rows),
    })),
    progress: await readProgress(pool, model),
    note: answered.length > 0 ? null : nothingThere(model, days, segment),
  };
}

export function nothingThere(model: string, days: { start_date: string; end_date: string }, segment: string): string {
  const which = segment === '' ? '' : ` of ${segment}`;
  return `No prediction${which} was made by ${model} from ${days.start_date} to ${days.end_date}, or none is summed up yet.`;
}

function groupTallies<Key extends object>(rollups: readonly Rollup[], keyOf: (row: Rollup) => Key) {
  const groups = new Map<string, { key: Key; tally: Tally; rows: Rollup[] }>();
  for (const row of rollups) {
    const key = keyOf(row);
    const name = JSON.stringify(key);
    const group = groups.get(name) ?? { key, tally: {}, rows: [] };
    groups.set(name, group);
    addUp(group.tally, row.answers);
    group.rows.push(row);
  }
  return [...groups.values()];
}

const sumOf = (rollups: readonly Rollup[]) => rollups.reduce((sum: Tally, row) => addUp(sum, row.answers), {});

function requestsByVersion(rows: readonly Rollup[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { version, answers } of rows) counts[version] = (counts[version] ?? 0) + Number(answers['requests'] ?? 0);
  return counts;
}
