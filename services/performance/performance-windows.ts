import { addUp, numberOf, tallyOf, type Tally } from '../../core/monitoring/tally.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import type { Database } from '../database/database.js';
import type { MonitoringPlan } from '../monitors/plan-monitoring.js';
import { readBaselines } from './performance-analytics.js';
import { readRollups, type Rollup } from './rollup-store.js';
import { HOUR_MS } from './tally-sheet.js';
import { segmentFeatures } from './watched-models.js';

const DAY_HOURS = 24;
/** Windows that a judgement looks back over. */
const MOST_WINDOWS = 60;
/** A version under trial is judged by its rollout. */
const SHADOW = 'shadow';

/** What a judgement of one run has at hand. */
export interface PerformanceWindows {
  plan: MonitoringPlan;
  version: string;
  /** The last window whose truths count. */
  window: { start: Date; end: Date };
  /** By segment, `''` first: what was answered and what came true, by window, earliest first, the last one last. */
  segments: ReadonlyMap<string, readonly WindowTally[]>;
  /** Answered since, up to the end of the run's window: too new for truths. Where all are due, the last window. */
  newest: Tally;
  baseline: Record<string, Record<string, MetricEstimate>>;
}

export interface WindowTally {
  answers: Tally;
  outcomes: Tally;
}

/** The last window that is mature at the end of the run's. */
export function lastWindow({ windowEnd, settings }: MonitoringPlan): { start: Date; end: Date; stepMs: number } {
  const stepMs = settings.every_hours * HOUR_MS;
  const matureMs = Date.parse(windowEnd) - settings.performance.label_maturity_hours * HOUR_MS;
  const endMs = Math.floor(matureMs / stepMs) * stepMs;
  return { start: new Date(endMs - stepMs), end: new Date(endMs), stepMs };
}

/** Reads what a run judges; undefined where nothing was answered in the last window. */
export async function readWindows(plan: MonitoringPlan, database: Database): Promise<PerformanceWindows | undefined> {
  const { start, end, stepMs } = lastWindow(plan);
  const span = plan.settings.every_hours % DAY_HOURS === 0 ? 'day' : 'hour';
  const from = new Date(end.getTime() - MOST_WINDOWS * stepMs);
  const parts = ['answers', 'outcomes'] as const;
  const read = async (segment: string, to: Date) =>
    (await readRollups(database.pool, { model: plan.model, span, from, to, segment, parts })).filter(
      ({ arm }) => arm !== SHADOW,
    );
  const all = await read('', new Date(plan.windowEnd));
  const version = busiestVersion(all.filter((row) => row.start >= start && row.start < end));
  if (version === undefined) return undefined;
  const segments = new Map<string, WindowTally[]>();
  const isDue = (row: Rollup) => row.version === version && row.start < end;
  const add = (rows: readonly Rollup[]) => {
    for (const row of rows.filter(isDue)) {
      const windows = segments.get(row.segment) ?? newWindows();
      segments.set(row.segment, windows);
      const window = windows[Math.floor((row.start.getTime() - from.getTime()) / stepMs)]!;
      addUp(window.answers, row.answers);
      addUp(window.outcomes, row.outcomes);
    }
  };
  add(all);
  for (const feature of segmentFeatures(plan.settings.performance)) add(await read(feature, end));
  const isNewest = ({ start: at }: Rollup) => at >= (end.getTime() < Date.parse(plan.windowEnd) ? end : start);
  const newest: Tally = {};
  for (const row of all) if (row.version === version && isNewest(row)) addUp(newest, row.answers);
  const baselines = await readBaselines(database, plan.model, [version]);
  const window = { start, end };
  return { plan, version, window, segments: trimmed(segments), newest, baseline: baselines.get(version) ?? {} };
}

const newWindows = (): WindowTally[] => Array.from({ length: MOST_WINDOWS }, () => ({ answers: {}, outcomes: {} }));

/** Without the windows before the first answer of the version. */
function trimmed(segments: ReadonlyMap<string, readonly WindowTally[]>): Map<string, readonly WindowTally[]> {
  const all = segments.get('') ?? [];
  const first = Math.max(
    0,
    all.findIndex(({ answers }) => numberOf(answers, 'requests') > 0),
  );
  return new Map([...segments].map(([segment, windows]) => [segment, windows.slice(first)]));
}

function busiestVersion(rows: readonly Rollup[]): string | undefined {
  const requests = new Map<string, number>();
  for (const { version, answers } of rows)
    requests.set(version, (requests.get(version) ?? 0) + numberOf(answers, 'requests'));
  const [most] = [...requests].filter(([, count]) => count > 0).toSorted(([, a], [, b]) => b - a);
  return most?.[0];
}

/** The tally of a head. */
export const headTally = (tally: Tally, head: string): Tally => tallyOf(tallyOf(tally, 'heads'), head);

/** All heads that were answered or had a truth. */
export function headsOf(windows: readonly WindowTally[]): string[] {
  const names = new Set<string>();
  for (const { answers, outcomes } of windows)
    for (const tally of [answers, outcomes]) for (const name of Object.keys(tallyOf(tally, 'heads'))) names.add(name);
  return [...names].sort();
}
