import type { MetricEstimate } from '../../ml/evaluate/metrics.js';

/**
 * What a report says, without how it looks: plain JSON that is stored with the version. The page is rendered from it, and the API
 * gives it out as it is.
 */
export interface ReportDocument {
  format_version: 1;
  title: string;
  model: string;
  /** Absent where the report is made before the version has its number. */
  version?: string;
  /** What a reader in a hurry should know, one sentence an entry. */
  summary: string[];
  facts: [name: string, value: string][];
  /** Reasons to doubt the figures, or to look at the data. */
  warnings: string[];
  sections: ReportSection[];
}

export interface ReportSection {
  title: string;
  text: string;
  plots: ReportPlot[];
  tables: ReportTable[];
}

/** A figure with its interval in one cell. */
export type ReportEstimate = Pick<MetricEstimate, 'value' | 'lower' | 'upper'>;

export type ReportCell = string | number | null | ReportEstimate;

export interface ReportTable {
  title: string;
  columns: string[];
  /** One cell a column. */
  rows: ReportCell[][];
  note?: string;
}

/** A value between the ends of its interval; null ends where none is known. */
export interface Bar extends ReportEstimate {
  name: string;
  value: number;
}

/** A value at a time, in ISO 8601; null where none was measured. */
export interface TimedValue {
  at: string;
  value: number | null;
}

/** An interval at a time. */
export interface TimedBand {
  at: string;
  lower: number;
  upper: number;
}

interface Titled {
  title: string;
  /** Replaces the sentence on how to read this kind of plot. */
  reading?: string;
}

/** One curve a class, that class against all others. */
export interface RocPlot extends Titled {
  kind: 'roc';
  curves: {
    name: string;
    area: ReportEstimate;
    /** By falling threshold, from (0, 0) to (1, 1); empty where the rows are all of one kind. */
    points: { threshold: number | null; false_positive_rate: number; true_positive_rate: number }[];
  }[];
}

export interface PrecisionRecallPlot extends Titled {
  kind: 'precision_recall';
  curves: {
    name: string;
    average_precision: number | null;
    /** Precision of rows taken at random. */
    base_rate: number;
    points: { threshold: number; precision: number; recall: number }[];
  }[];
}

export interface ReliabilityPlot extends Titled {
  kind: 'reliability';
  /** Whose probability it is. */
  event: string;
  bins: {
    lower: number;
    upper: number;
    rows: number;
    /** Mean probability stated; null in an empty bin, as the rest. */
    stated: number | null;
    /** Share that came true, with its interval. */
    observed: ReportEstimate;
  }[];
}

export interface ResidualsPlot extends Titled {
  kind: 'residuals';
  /** Of predictions and residuals, such as `days`. */
  unit?: string;
  /** A sample of rows; residual = truth - prediction. */
  points: { prediction: number; residual: number }[];
  /** The mean by rising prediction. */
  trend: { prediction: number; residual: number }[];
  histogram: { lower: number; upper: number; rows: number }[];
}

export interface ForecastFanPlot extends Titled {
  kind: 'forecast_fan';
  unit?: string;
  history: TimedValue[];
  /** The middle of the forecast. */
  forecast: TimedValue[];
  /** By rising level, for instance 0.8 and 0.95. */
  bands: { level: number; points: TimedBand[] }[];
  /** What really came, where it is known. */
  actual?: TimedValue[];
}

export interface ImportancePlot extends Titled {
  kind: 'importance';
  /** What a bar measures, such as `increase of the log loss`. */
  measure: string;
  /** The largest first. */
  bars: Bar[];
}

export interface LearningCurvePlot extends Titled {
  kind: 'learning_curve';
  /** Along the axis: training rows, or rounds such as trees and epochs. */
  by: 'rows' | 'rounds';
  /** Such as `log loss`; lower is better. */
  measure: string;
  curves: {
    name: string;
    /** Where on unseen rows. */
    is_validation: boolean;
    points: { at: number; value: number; lower?: number | null; upper?: number | null }[];
  }[];
  /** The round that was kept. */
  chosen?: number;
}

export interface SlicesPlot extends Titled {
  kind: 'slices';
  measure: string;
  /** Which direction is bad. */
  worse: 'higher' | 'lower';
  /** Of all rows. */
  overall: number;
  /** The worst first. */
  slices: (Bar & { rows: number; verdict: 'worse' | 'better' | 'same' })[];
}

export interface ConfusionPlot extends Titled {
  kind: 'confusion';
  classes: string[];
  /** `counts[truth][answer]` in rows. */
  counts: number[][];
}

export interface HistogramPlot extends Titled {
  kind: 'histogram';
  /** What is counted, such as `probability of yes`. */
  measure: string;
  /** Ascending; one more than counts a group. */
  edges: number[];
  groups: { name: string; counts: number[] }[];
}

export interface SeriesAnomaliesPlot extends Titled {
  kind: 'series_anomalies';
  unit?: string;
  values: TimedValue[];
  /** Between which values an answer is normal. */
  expected: TimedBand[];
  /** Found by the model. */
  anomalies: { at: string; value: number; score: number }[];
  /** Stretches that people marked as incidents. */
  incidents: { from: string; to: string; name: string }[];
}

/** Rivals on the same rows, such as the algorithms that were tried. */
export interface ComparisonPlot extends Titled {
  kind: 'comparison';
  measure: string;
  better: 'higher' | 'lower';
  bars: (Bar & { chosen?: boolean })[];
}

/** Runs in their order, such as the trials of a search. */
export interface OptimisationHistoryPlot extends Titled {
  kind: 'optimisation_history';
  measure: string;
  better: 'higher' | 'lower';
  points: { name: string; value: number }[];
}

/** Runs across their parameters; the last axis is the measure. */
export interface ParallelCoordinatesPlot extends Titled {
  kind: 'parallel_coordinates';
  better: 'higher' | 'lower';
  /** With `names` a value is the place of its name. */
  axes: { name: string; lowest: number; highest: number; names?: string[] }[];
  /** One value an axis; null where the run does not have the parameter. */
  lines: { name: string; values: (number | null)[] }[];
}

/** The kinds of plots, for those who check what they read. */
export const REPORT_PLOTS: readonly ReportPlot['kind'][] = [
  'roc',
  'precision_recall',
  'reliability',
  'residuals',
  'forecast_fan',
  'importance',
  'learning_curve',
  'slices',
  'confusion',
  'histogram',
  'series_anomalies',
  'comparison',
  'optimisation_history',
  'parallel_coordinates',
];

/** Every plot, as data only. */
export type ReportPlot =
  | RocPlot
  | PrecisionRecallPlot
  | ReliabilityPlot
  | ResidualsPlot
  | ForecastFanPlot
  | ImportancePlot
  | LearningCurvePlot
  | SlicesPlot
  | ConfusionPlot
  | HistogramPlot
  | SeriesAnomaliesPlot
  | ComparisonPlot
  | OptimisationHistoryPlot
  | ParallelCoordinatesPlot;
