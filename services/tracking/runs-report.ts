import { betterDirection } from '../../core/policy/compare-metric.js';
import { parameterImportance } from '../../ml/search/parameter-importance.js';
import { formatNumber } from '../reports/format-value.js';
import type {
  LearningCurvePlot,
  ParallelCoordinatesPlot,
  ReportCell,
  ReportDocument,
  ReportPlot,
  ReportSection,
} from '../reports/report-document.js';
import type { PresentedRun, RunCurve } from './run-store.js';

/** Axes of parameters that a page has room for. */
const MOST_AXES = 5;
/** Runs whose curves are shown. */
export const MOST_CURVE_RUNS = 6;
const MOST_LISTED = 50;

/** What the page looks at. */
export interface RunsReportMeasure {
  metric: string;
  better: 'higher' | 'lower';
}

/** The metric that most runs have, and which end of it is good. */
export function chooseMeasure(
  runs: readonly PresentedRun[],
  asked: { metric?: string; goal?: 'maximize' | 'minimize' },
): RunsReportMeasure {
  const counts = new Map<string, number>();
  for (const { metrics } of runs)
    for (const name of Object.keys(metrics)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const hasDirection = (name: string) => directionOf(name) !== null;
  const [first] = [...counts].sort(
    ([a, many], [b, more]) => more - many || Number(hasDirection(b)) - Number(hasDirection(a)) || (a < b ? -1 : 1),
  );
  const metric = asked.metric ?? first?.[0] ?? 'loss';
  const given = asked.goal && (asked.goal === 'maximize' ? 'higher' : 'lower');
  return { metric, better: given ?? directionOf(metric) ?? 'lower' };
}

const directionOf = (name: string) => betterDirection(name.slice(name.lastIndexOf('.') + 1));

/** Those that have the metric, the best first. */
export function rankRuns(runs: readonly PresentedRun[], { metric, better }: RunsReportMeasure): PresentedRun[] {
  const sign = better === 'higher' ? -1 : 1;
  return runs
    .filter(({ metrics }) => metrics[metric] !== undefined)
    .sort((a, b) => sign * (a.metrics[metric]! - b.metrics[metric]!));
}

/**
 * The page of several runs: how their figures went, what they depend on, and the curves of the best.
 * @param runs oldest first
 */
export function buildRunsReport(
  runs: readonly PresentedRun[],
  curves: readonly RunCurve[],
  measure: RunsReportMeasure,
): ReportDocument {
  const ranked = rankRuns(runs, measure);
  const measured = runs.filter(({ metrics }) => metrics[measure.metric] !== undefined);
  const models = [...new Set(runs.map(({ model }) => model))];
  const best = ranked[0];
  const counts = [...groupBy(runs, ({ status }) => status)];
  return {
    format_version: 1,
    title: 'Runs',
    model: models.length > 0 ? models.slice(0, 5).join(', ') : 'no model',
    summary: [
      `${runs.length} runs: ${counts.map(([status, of]) => `${of.length} ${status}`).join(', ') || 'none'}.`,
      best
        ? `The best ${measure.metric} is ${formatNumber(best.metrics[measure.metric])}, of ${best.run_id}; ${measure.better} is better.`
        : `No run has the metric ${measure.metric}.`,
    ],
    facts: [],
    warnings: [],
    sections: [
      historySection(measured, measure),
      parameterSection(measured, measure),
      ...curveSections(curves, ranked),
      listSection(ranked, measure),
    ],
  };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function historySection(measured: readonly PresentedRun[], { metric, better }: RunsReportMeasure): ReportSection {
  const points = measured.map(({ run_id: name, metrics }) => ({ name, value: metrics[metric]! }));
  return {
    title: 'History',
    text: '',
    plots: [{ kind: 'optimisation_history', title: metric, measure: metric, better, points }],
    tables: [],
  };
}

const isPlain = (value: unknown) => value === null || ['number', 'string', 'boolean'].includes(typeof value);

function parameterSection(measured: readonly PresentedRun[], { metric, better }: RunsReportMeasure): ReportSection {
  const names = [...new Set(measured.flatMap(({ params }) => Object.keys(params)))].sort();
  const columns = names
    .map((name) => ({
      name,
      values: measured.map(({ params }) => {
        const value = params[name] ?? null;
        return isPlain(value) ? value : JSON.stringify(value);
      }),
    }))
    .filter(({ values }) => new Set(values).size > 1);
  const values = Float64Array.from(measured, ({ metrics }) => metrics[metric]!);
  const found = parameterImportance({ parameters: columns, values, seed: 1 });
  const rank = new Map(found.map(({ name }, at) => [name, at]));
  const placeOf = (name: string) => rank.get(name) ?? rank.size;
  const shown = columns.toSorted((a, b) => placeOf(a.name) - placeOf(b.name)).slice(0, MOST_AXES);
  const axes = [...shown.map(({ name, values: all }) => axisOf(name, all)), axisOf(metric, [...values])];
  const plots: ReportPlot[] = [
    {
      kind: 'importance',
      title: 'Importance',
      reading:
        'A bar says how much of the differences between runs cannot be told any more once the values of that parameter are shuffled among them, with its 95 % interval. A forest has learnt it from the runs, and each run is judged by trees that have not seen it.',
      measure: `share of the variance of ${metric}`,
      bars: found.map(({ name, share, lower, upper }) => ({ name, value: share, lower, upper })),
    },
    {
      kind: 'parallel_coordinates',
      title: 'Parameters',
      better,
      axes: axes.map(({ values: _, ...axis }) => axis),
      lines: measured.map(({ run_id: name }, run) => ({ name, values: axes.map((axis) => axis.values[run]!) })),
    },
  ];
  return { title: 'Parameters', text: '', plots, tables: [] };
}

/** Numbers as they are; anything else by the place of its name. */
function axisOf(
  name: string,
  values: readonly unknown[],
): ParallelCoordinatesPlot['axes'][number] & { values: (number | null)[] } {
  const known = values.filter((value) => value !== null);
  const isNumeric = known.every((value) => typeof value === 'number');
  const names = isNumeric ? undefined : [...new Set(known.map(String))].sort();
  const places = values.map((value) =>
    value === null ? null : names ? names.indexOf(String(value)) : (value as number),
  );
  const numbers = places.filter((value) => value !== null);
  const [lowest, highest] = [Math.min(...numbers), Math.max(...numbers)];
  return { name, ...(names ? { names } : {}), lowest, highest, values: places };
}

/** One plot a curve's name, a line a run. */
function curveSections(curves: readonly RunCurve[], ranked: readonly PresentedRun[]): ReportSection[] {
  if (curves.length === 0) return [];
  const place = new Map(ranked.map(({ run_id }, at) => [run_id, at + 1]));
  const byName = [...groupBy(curves, ({ name }) => name)];
  const plots = byName.map(([name, of]): LearningCurvePlot => ({
    kind: 'learning_curve',
    title: name,
    reading:
      'A line is one run. What is measured on unseen rows is drawn through, what is measured on training rows is dashed.',
    by: 'rounds',
    measure: name.slice(name.lastIndexOf('.') + 1).replaceAll('_', ' '),
    curves: of.map(({ run_id: id, points }) => ({
      name: place.has(id) ? `${place.get(id)}. ${id}` : id,
      is_validation: name.endsWith('validation_loss'),
      points: points.map(({ step, value }) => ({ at: step, value })),
    })),
  }));
  return [{ title: 'Curves', text: `Of the best ${MOST_CURVE_RUNS} runs at most.`, plots, tables: [] }];
}

function listSection(ranked: readonly PresentedRun[], { metric }: RunsReportMeasure): ReportSection {
  const rows = ranked
    .slice(0, MOST_LISTED)
    .map((run): ReportCell[] => [
      run.run_id,
      run.metrics[metric]!,
      String(run.params['algorithm'] ?? ''),
      run.version ?? '',
      run.cost.wall_seconds,
      run.cost.cpu_seconds,
      run.cost.peak_memory_bytes / 2 ** 20,
    ]);
  const note = ranked.length > MOST_LISTED ? `The best ${MOST_LISTED} of ${ranked.length}.` : undefined;
  const columns = ['run', metric, 'algorithm', 'version', 'seconds', 'CPU seconds', 'MiB at most'];
  return { title: 'Best runs', text: '', plots: [], tables: [{ title: 'By figure', columns, rows, note }] };
}
