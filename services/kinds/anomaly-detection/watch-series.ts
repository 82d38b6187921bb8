import { SeriesDetector, type SeriesVerdict } from '../../../ml/anomaly/series-detector.js';
import { wilsonInterval } from '../../../ml/evaluate/roc.js';
import type { MetricEstimate } from '../../../ml/evaluate/metrics.js';
import type { AnomalySeries } from '../../reports/sections/anomaly-section.js';
import type { MeasuredSeries } from './anomaly-table.js';

/** More rows than this would make an evaluation last minutes; whole series are left out. */
const MOST_ROWS = 200_000;
/** The first measurements of a series say what is usual and are not judged. */
const PROBATION_SHARE = 0.15;
/** Measurements after an incident that still have it in their level and spread. */
const AFTERMATH = 12;
const MOST_PLOTS = 3;
const LEVEL = 0.95;

/** What was found by watching each series by itself. */
export interface WatchedSeries {
  metrics: Record<string, MetricEstimate>;
  found: {
    series: number;
    rows: number;
    left_out: number;
    by_label: Record<string, { incidents: number; found: number }>;
  };
  plots: AnomalySeries[];
}

interface Incident {
  first: number;
  last: number;
  name: string;
  isFound: boolean;
}

/**
 * Watches every series value by value, each judged by its own past alone without the known incidents in it, and counts alarms on ordinary measurements and incidents
 * in which at least one alarm fell.
 * @param rate share of ordinary measurements that may raise an alarm
 * @returns undefined where no series is long enough
 */
export function watchSeries(
  all: readonly MeasuredSeries[],
  features: readonly string[],
  rate: number,
  onProgress: (done: number) => void,
): WatchedSeries | undefined {
  const series = chooseSeries(all, rate);
  if (series.length === 0) return undefined;
  let ordinary = 0;
  let alarms = 0;
  let rows = 0;
  const incidents: Incident[] = [];
  const plots: { plot: AnomalySeries; incidents: number }[] = [];
  series.forEach((one, at) => {
    const verdicts = watch(one);
    const from = Math.ceil(PROBATION_SHARE * verdicts.length);
    const own = incidentsOf(one, verdicts, from, rate);
    incidents.push(...own);
    let quietUntil = 0;
    for (let row = 0; row < verdicts.length; row++) {
      if (one.labels[row] !== null) quietUntil = row + AFTERMATH + 1;
      if (row < from || row < quietUntil) continue;
      ordinary++;
      if (verdicts[row]!.pValue < rate) alarms++;
    }
    rows += verdicts.length;
    plots.push({ plot: plotOf(one, verdicts, own, features, from, rate), incidents: own.length });
    onProgress((at + 1) / series.length);
  });
  plots.sort((a, b) => b.incidents - a.incidents);
  return {
    metrics: metricsOf(ordinary, alarms, incidents),
    found: { series: series.length, rows, left_out: all.length - series.length, by_label: countByLabel(incidents) },
    plots: plots.slice(0, MOST_PLOTS).map(({ plot }) => plot),
  };
}

/** Those in which an alarm is possible after the probation at all, until the rows are too many. */
function chooseSeries(all: readonly MeasuredSeries[], rate: number): MeasuredSeries[] {
  let rows = 0;
  return all.filter(({ times }) => {
    if (times.length * PROBATION_SHARE < 1 / rate || rows + times.length > MOST_ROWS) return false;
    rows += times.length;
    return true;
  });
}

function watch({ times, values, labels }: MeasuredSeries): SeriesVerdict[] {
  const detector = new SeriesDetector({ columns: values.length });
  const row = new Float64Array(values.length);
  return Array.from(times, (time, at) => {
    values.forEach((column, k) => (row[k] = column[at]!));
    return detector.push(row, time, { isLearned: labels[at] === null });
  });
}

/** Runs of measurements with the same name. */
function incidentsOf(
  { labels }: MeasuredSeries,
  verdicts: readonly SeriesVerdict[],
  from: number,
  rate: number,
): Incident[] {
  const incidents: Incident[] = [];
  for (let row = from; row < labels.length; row++) {
    const name = labels[row] ?? null;
    if (name === null) continue;
    const isFound = verdicts[row]!.pValue < rate;
    const last = incidents.at(-1);
    if (last && last.last === row - 1 && last.name === name) {
      last.last = row;
      last.isFound ||= isFound;
    } else incidents.push({ first: row, last: row, name, isFound });
  }
  return incidents;
}

function metricsOf(ordinary: number, alarms: number, incidents: readonly Incident[]): Record<string, MetricEstimate> {
  const metrics: Record<string, MetricEstimate> = {};
  // Neighbours share their windows, so that an interval for independent rows would be too narrow.
  if (ordinary > 0)
    metrics['series_false_alarm_rate'] = { value: alarms / ordinary, lower: null, upper: null, rows: ordinary };
  if (incidents.length > 0) {
    const hits = incidents.filter(({ isFound }) => isFound).length;
    const rows = incidents.length;
    metrics['series_incidents_found'] = { value: hits / rows, ...wilsonInterval(hits, rows, LEVEL), rows };
  }
  return metrics;
}

function countByLabel(incidents: readonly Incident[]): WatchedSeries['found']['by_label'] {
  const counts: WatchedSeries['found']['by_label'] = {};
  for (const { name, isFound } of incidents) {
    const count = (counts[name] ??= { incidents: 0, found: 0 });
    count.incidents++;
    if (isFound) count.found++;
  }
  return counts;
}

/** The feature that stood out most often, with what was usual for it. */
function plotOf(
  { name, times, values }: MeasuredSeries,
  verdicts: readonly SeriesVerdict[],
  incidents: readonly Incident[],
  features: readonly string[],
  from: number,
  rate: number,
): AnomalySeries {
  const isAlarm = (row: number): boolean => row >= from && verdicts[row]!.pValue < rate && !verdicts[row]!.isRepeat;
  const rows = Array.from(verdicts.keys()).filter(isAlarm);
  const surprise = features.map((_, k) => rows.reduce((sum, row) => sum + verdicts[row]!.columns[k]!.surprise, 0));
  const shown = surprise.indexOf(Math.max(...surprise));
  const iso = (row: number): string => new Date(times[row]!).toISOString();
  return {
    series: `${name}: ${features[shown]}`,
    values: Array.from(values[shown]!, (value, row) => ({ at: iso(row), value: Number.isNaN(value) ? null : value })),
    expected: verdicts.flatMap(({ columns }, row) => {
      const { lower, upper } = columns[shown]!;
      return row >= from && Number.isFinite(lower) ? [{ at: iso(row), lower, upper }] : [];
    }),
    anomalies: rows
      .filter((row) => !Number.isNaN(values[shown]![row]!))
      .map((row) => ({
        at: iso(row),
        value: values[shown]![row]!,
        score: Math.log10(verdicts[row]!.pValue / rate),
      })),
    incidents: incidents.map((one) => ({ from: iso(one.first), to: iso(one.last), name: one.name })),
  };
}
