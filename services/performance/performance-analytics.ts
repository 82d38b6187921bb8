import { pastErrors, summarisePerformance } from '../../core/monitoring/summarise-performance.js';
import { addUp, type Tally } from '../../core/monitoring/tally.js';
import { daysOfQuery, type AnalyticsQuery } from '../../core/schemas/analytics.js';
import type { PerformanceMonitorSettings } from '../../core/schemas/performance-monitor.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import type { Database } from '../database/database.js';
import { nothingThere } from './prediction-analytics.js';
import { readProgress, readRollups, type Rollup } from './rollup-store.js';

const HOUR_MS = 3_600_000;
const SPAN_MS = { hour: HOUR_MS, day: 24 * HOUR_MS };
const SHADOW = 'shadow';

/** Metrics on the rows held out, by head, of the versions of a model that there are. */
export async function readBaselines(
  { prisma }: Database,
  model: string,
  versions: readonly string[],
): Promise<Map<string, Record<string, Record<string, MetricEstimate>>>> {
  const rows = await prisma.modelVersion.findMany({
    where: { model, version: { in: [...versions] } },
    select: { version: true, metrics: true },
  });
  return new Map(
    rows.map(({ version, metrics }) => [
      version,
      ((metrics as { heads?: unknown }).heads ?? {}) as Record<string, Record<string, MetricEstimate>>,
    ]),
  );
}

/** How well a model's answers came true, from the rollups: realised and expected metrics side by side, by version, arm and segment. */
export async function readPerformanceAnalytics(
  database: Database,
  { model, settings }: { model: string; settings: PerformanceMonitorSettings },
  query: AnalyticsQuery,
  nowMs: number,
): Promise<object> {
  const { from, to, ...days } = daysOfQuery(query, nowMs);
  const { interval, version, segment = '' } = query;
  const parts = ['answers', 'outcomes'] as const;
  const read = await readRollups(database.pool, { model, span: interval, from, to, version, segment, parts });
  const rollups = read.filter(({ arm }) => arm !== SHADOW);
  const groups = groupRollups(rollups);
  const baselines = await readBaselines(database, model, [...new Set(rollups.map((row) => row.version))]);
  const matureMs = nowMs - settings.label_maturity_hours * HOUR_MS;
  return {
    model,
    ...days,
    interval,
    label_maturity_hours: settings.label_maturity_hours,
    versions: groups.map(({ key, rows }) => {
      const all = { answers: sumOf(rows, 'answers'), outcomes: sumOf(rows, 'outcomes') };
      return {
        ...key,
        ...summarisePerformance(all, all.outcomes, baselines.get(key.version) ?? {}),
        estimate_errors: pastErrors(rows.map(({ outcomes }) => outcomes)),
      };
    }),
    series: groups
      .flatMap(({ key, rows }) => {
        const earlier: Tally = {};
        return rows.map((row) => {
          const entry = summarisePerformance(row, earlier, baselines.get(key.version) ?? {});
          addUp(earlier, row.outcomes);
          const isMature = row.start.getTime() + SPAN_MS[interval] <= matureMs;
          return { start: row.start.toISOString(), is_mature: isMature, ...key, ...entry };
        });
      })
      .toSorted((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0)),
    progress: await readProgress(database.pool, model),
    note: rollups.length > 0 ? null : nothingThere(model, days, segment),
  };
}

function groupRollups(rollups: readonly Rollup[]) {
  const groups = new Map<string, { key: { version: string; arm: string | null; segment: string }; rows: Rollup[] }>();
  for (const row of rollups) {
    const key = { version: row.version, arm: row.arm || null, segment: row.segment };
    const name = JSON.stringify(key);
    const group = groups.get(name) ?? { key, rows: [] };
    groups.set(name, group);
    group.rows.push(row);
  }
  return [...groups.values()];
}

const sumOf = (rows: readonly Rollup[], part: 'answers' | 'outcomes') =>
  rows.reduce((sum: Tally, row) => addUp(sum, row[part]), {});
