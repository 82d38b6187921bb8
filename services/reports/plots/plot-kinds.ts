import type { ReportPlot } from '../report-document.js';
import { comparisonPlot, importancePlot, slicesPlot } from './bar-plots.js';
import { confusionPlot, histogramPlot } from './count-plots.js';
import { precisionRecallPlot, rocPlot } from './curve-plots.js';
import { learningCurvePlot } from './learning-curve-plot.js';
import type { PlotKind } from './plot-kind.js';
import { reliabilityPlot } from './reliability-plot.js';
import { residualsPlot } from './residuals-plot.js';
import { forecastFanPlot, seriesAnomaliesPlot } from './time-plots.js';
import { optimisationHistoryPlot, parallelCoordinatesPlot } from './trial-plots.js';

const PLOT_KINDS: { [Kind in ReportPlot['kind']]: PlotKind<Extract<ReportPlot, { kind: Kind }>> } = {
  roc: rocPlot,
  precision_recall: precisionRecallPlot,
  reliability: reliabilityPlot,
  residuals: residualsPlot,
  forecast_fan: forecastFanPlot,
  importance: importancePlot,
  learning_curve: learningCurvePlot,
  slices: slicesPlot,
  confusion: confusionPlot,
  histogram: histogramPlot,
  series_anomalies: seriesAnomaliesPlot,
  comparison: comparisonPlot,
  optimisation_history: optimisationHistoryPlot,
  parallel_coordinates: parallelCoordinatesPlot,
};

/** Undefined for a kind that a later release has written. */
export function plotKindOf<Plot extends ReportPlot>(plot: Plot): PlotKind<Plot> | undefined {
  return (PLOT_KINDS as unknown as Record<string, PlotKind<Plot>>)[plot.kind];
}
