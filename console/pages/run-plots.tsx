import { List, Stack } from '@mantine/core';
import { ChartPanel } from '../parts/chart-panel.js';
import { ContributionBars } from '../parts/contribution-bars.js';
import { CurvePanel, type Curve } from '../parts/curve-panel.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName } from '../parts/format-number.js';
import { HistoryChart } from '../parts/history-chart.js';
import { Loaded } from '../parts/loaded.js';
import { ParallelCoordinates, type ParallelPlot } from '../parts/parallel-coordinates.js';
import type { components } from '../service/client.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type Plot = components['schemas']['RunsReport']['sections'][number]['plots'][number];

interface HistoryPlot {
  measure: string;
  better: 'higher' | 'lower';
  points: { name: string; value: number }[];
}
interface ImportancePlot {
  measure: string;
  bars: { name: string; value: number; lower?: number; upper?: number }[];
}
interface CurvesPlot {
  measure: string;
  curves: { name: string; points: { at: number; value: number }[] }[];
}

/** Plots of runs, as the service works them out: how a figure went, what it depends on, all parameters side by side. */
export default function RunPlots({
  query,
}: {
  query: { model?: string; parent_id?: string; kind?: 'training' | 'trial' };
}) {
  const report = useRead('/runs/report', { query }, { everyMs: 2 * LIVE_MS });
  return (
    <Loaded of={report}>
      {({ summary, sections }) => (
        <Stack gap="lg">
          <List size="sm">
            {summary.map((line) => (
              <List.Item key={line}>{line}</List.Item>
            ))}
          </List>
          {plotsOf(sections).map((plot) => (
            <PlotPanel key={plot.kind + plot.title} plot={plot} />
          ))}
          <CurvePanel
            title="Curves"
            curves={plotsOf(sections)
              .filter(({ kind }) => kind === 'learning_curve')
              .map(curveOf)}
          />
        </Stack>
      )}
    </Loaded>
  );
}

const plotsOf = (sections: components['schemas']['RunsReport']['sections']): Plot[] =>
  sections.flatMap(({ plots }) => plots);

function PlotPanel({ plot }: { plot: Plot }) {
  if (plot.kind === 'optimisation_history') return <History plot={plot as unknown as HistoryPlot} />;
  if (plot.kind === 'importance') return <Importance plot={plot as unknown as ImportancePlot} />;
  if (plot.kind === 'parallel_coordinates') return <Parallel plot={plot as unknown as ParallelPlot} />;
  return null;
}

function History({ plot: { measure, better, points } }: { plot: HistoryPlot }) {
  let best = better === 'higher' ? -Infinity : Infinity;
  const rows = points.map(({ name, value }, index) => {
    best = better === 'higher' ? Math.max(best, value) : Math.min(best, value);
    return { run: index + 1, name, value, best };
  });
  return (
    <ChartPanel
      title={`History of ${formatName(measure)}`}
      note={`Each run, and the best so far; ${better} is better`}
      rows={rows}
    >
      <HistoryChart label={`History of ${formatName(measure)}`} rows={rows} />
    </ChartPanel>
  );
}

function Importance({ plot: { measure, bars } }: { plot: ImportancePlot }) {
  return (
    <ChartPanel title="What it depends on" note={formatName(measure)} rows={bars.map((bar) => ({ ...bar }))}>
      {bars.length === 0 ? (
        <EmptyState title="Too few runs to tell" />
      ) : (
        <ContributionBars
          label="Importance"
          bars={bars.map(({ name, value }) => ({ feature: name, contribution: value }))}
        />
      )}
    </ChartPanel>
  );
}

function Parallel({ plot }: { plot: ParallelPlot }) {
  const rows = plot.lines.map(({ name, values }) => ({
    run: name,
    ...Object.fromEntries(plot.axes.map((axis, index) => [axis.name, valueAt(axis, values[index] ?? null)])),
  }));
  return (
    <ChartPanel
      title="All parameters"
      note="A line a run; the last axis is the measure, and strong lines are good runs"
      rows={rows}
    >
      {plot.axes.length < 2 ? (
        <EmptyState title="The runs have the same parameters" />
      ) : (
        <ParallelCoordinates plot={plot} label="Parameters of the runs" />
      )}
    </ChartPanel>
  );
}

const valueAt = ({ names }: ParallelPlot['axes'][number], value: number | null) =>
  names && value !== null ? names[value] : value;

function curveOf(plot: Plot): Curve {
  const { measure, curves } = plot as unknown as CurvesPlot;
  const steps = [...new Set(curves.flatMap(({ points }) => points.map(({ at }) => at)))].sort((a, b) => a - b);
  const valuesAt = (step: number) =>
    Object.fromEntries(curves.map(({ name, points }) => [name, points.find(({ at }) => at === step)?.value ?? null]));
  return {
    name: plot.title,
    note: `${formatName(measure)} of the best runs`,
    rows: steps.map((step) => ({ step, ...valuesAt(step) })),
    lines: curves.map(({ name }) => name),
  };
}
