import { Group, Select } from '@mantine/core';
import { useState } from 'react';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber, formatPercent } from '../parts/format-number.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { SeriesChart } from '../parts/series-chart.js';
import { Unavailable } from '../parts/unavailable.js';
import type { ModelPerformance, PerformanceEntry } from '../service/shapes.js';
import { LIVE_MS, useReadIfThere } from '../service/use-read.js';
import { useModelChoice } from './model-choice.js';

export default function PerformancePage() {
  const { model, choice } = useModelChoice();
  const performance = useReadIfThere<ModelPerformance>(
    '/analytics/model-performance',
    { model_type: model },
    { everyMs: 4 * LIVE_MS, enabled: model !== undefined },
  );
  return (
    <Page
      title="Performance"
      lead="How well answers came true, and how well they are expected to where the truth is not known yet."
    >
      <Group>{choice}</Group>
      <Loaded of={performance}>
        {(read) => {
          if (!read) return <Unavailable what="the performance of models" />;
          if (read.versions.length === 0)
            return (
              <EmptyState title="Nothing to show yet">
                {read.note ?? 'The model has answered nothing in these days.'}
              </EmptyState>
            );
          return (
            <>
              <Versions versions={read.versions} />
              <Series performance={read} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Versions({ versions }: { versions: readonly PerformanceEntry[] }) {
  return (
    <Panel title="Versions">
      <DataTable
        caption="Versions that answered"
        rows={versions}
        keyOf={({ version, arm, segment }) => `${version} ${arm} ${segment}`}
        columns={[
          { title: 'Version', isHeading: true, cell: ({ version, arm }) => `${version}${arm ? ` (${arm})` : ''}` },
          { title: 'Segment', cell: ({ segment }) => segment || 'all' },
          { title: 'Answers', align: 'right', cell: ({ requests }) => formatNumber(requests) },
          { title: 'With truth', align: 'right', cell: ({ label_coverage: share }) => formatPercent(share) },
          { title: 'Realised', cell: ({ heads }) => describe(heads, 'realised') },
          { title: 'Held out', cell: ({ heads }) => describe(heads, 'baseline') },
        ]}
      />
    </Panel>
  );
}

/** The first measures of the heads, on one line. */
const describe = (heads: PerformanceEntry['heads'], which: 'realised' | 'baseline') =>
  Object.entries(heads)
    .flatMap(([head, metrics]) =>
      Object.entries(metrics)
        .slice(0, 1)
        .map(([name, summary]) => `${formatName(head)} ${formatName(name)} ${formatNumber(summary[which]?.value)}`),
    )
    .join(', ') || '—';

function Series({ performance: { series } }: { performance: ModelPerformance }) {
  const measures = [
    ...new Set(
      series.flatMap(({ heads }) =>
        Object.entries(heads).flatMap(([head, metrics]) => Object.keys(metrics).map((name) => `${head}: ${name}`)),
      ),
    ),
  ];
  const [chosen, setChosen] = useState<string | null>(null);
  const measure = chosen ?? measures[0];
  if (!measure) return null;
  const [head = '', name = ''] = measure.split(': ');
  const rows = series
    .filter(({ segment }) => segment === '')
    .map(({ start, version, heads }) => {
      const summary = heads[head]?.[name];
      return {
        start: start.slice(0, 10),
        version,
        realised: summary?.realised?.value ?? null,
        lower: summary?.realised?.lower ?? null,
        upper: summary?.realised?.upper ?? null,
        estimated: summary?.estimated?.value ?? null,
        baseline: summary?.baseline?.value ?? null,
      };
    });
  return (
    <ChartPanel
      title={formatName(measure)}
      note="Realised with its 95 % interval, estimated without truths, and on the rows held out"
      rows={rows}
      actions={
        <Select
          aria-label="Measure"
          size="xs"
          data={measures}
          value={measure}
          onChange={setChosen}
          allowDeselect={false}
        />
      }
    >
      <SeriesChart
        label={formatName(measure)}
        rows={rows}
        x="start"
        lines={['realised', 'estimated', 'baseline']}
        band={['lower', 'upper']}
      />
    </ChartPanel>
  );
}
