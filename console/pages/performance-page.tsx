import { Group, Select } from '@mantine/core';
import { useState } from 'react';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber, formatPercent } from '../parts/format-number.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { SeriesChart } from '../parts/series-chart.js';
import type { components } from '../service/client.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { useModelChoice } from './model-choice.js';

type Performance = components['schemas']['ModelPerformance'];
type Version = Performance['versions'][number];
type Summary = components['schemas']['MetricSummary'];
const INTERVALS = ['day', 'hour'] as const;

export default function PerformancePage() {
  const { model, choice } = useModelChoice();
  const [chosen, setInterval] = useFilter('interval');
  const interval = INTERVALS.find((one) => one === chosen) ?? 'day';
  const performance = useRead(
    '/analytics/model-performance',
    { query: { model_type: model ?? '', interval } },
    { everyMs: 4 * LIVE_MS, enabled: model !== undefined },
  );
  return (
    <Page
      title="Performance"
      lead="How well answers came true, and how well they are expected to where the truth is not known yet."
    >
      <Group>
        {choice}
        <Select
          label="By"
          data={[...INTERVALS]}
          value={interval}
          onChange={setInterval}
          allowDeselect={false}
          w={110}
        />
      </Group>
      <Loaded of={performance}>
        {({ versions, series, note, label_maturity_hours: hours }) =>
          versions.length === 0 ? (
            <EmptyState title="Nothing to show yet">
              {note ?? 'The model has answered nothing in these days.'}
            </EmptyState>
          ) : (
            <>
              <Versions versions={versions} model={model ?? ''} />
              <Measures versions={versions} maturityHours={hours} />
              <Series series={series} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Versions({ versions, model }: { versions: readonly Version[]; model: string }) {
  return (
    <Panel title="Versions">
      <DataTable
        caption="Versions that answered"
        rows={versions}
        keyOf={({ version, arm, segment }) => `${version} ${arm} ${segment}`}
        columns={[
          {
            title: 'Version',
            isHeading: true,
            cell: ({ version }) => <AppLink to={pathTo.version(model, version)}>{version}</AppLink>,
          },
          { title: 'Arm', cell: ({ arm }) => arm || '—' },
          { title: 'Segment', cell: ({ segment }) => segment || 'all' },
          { title: 'Answers', align: 'right', cell: ({ requests }) => formatNumber(requests) },
          { title: 'Truths', align: 'right', cell: ({ labelled }) => formatNumber(labelled) },
          { title: 'Of all', align: 'right', cell: ({ label_coverage: share }) => formatPercent(share) },
        ]}
      />
    </Panel>
  );
}

/** What came true beside what was expected and what was measured in training, each measure on a scale of its own. */
function Measures({ versions, maturityHours }: { versions: readonly Version[]; maturityHours: number }) {
  const rows = versions
    .filter(({ segment }) => segment === '')
    .flatMap(({ version, arm, heads }) =>
      Object.entries(heads).flatMap(([head, metrics]) =>
        Object.entries(metrics).map(([metric, summary]) => ({ version, arm, head, metric, summary })),
      ),
    );
  if (rows.length === 0) return null;
  return (
    <Panel
      title="Measures"
      note={`With 95 % intervals. What is expected takes no truths; truths count as all in after ${formatNumber(maturityHours)} hours`}
    >
      <DataTable
        caption="Measures of each version"
        rows={rows}
        keyOf={({ version, arm, head, metric }) => `${version} ${arm} ${head} ${metric}`}
        columns={[
          {
            title: 'Measure',
            isHeading: true,
            cell: ({ head, metric }) => `${formatName(head)}: ${formatName(metric)}`,
          },
          { title: 'Version', cell: ({ version, arm }) => `${version}${arm ? ` (${arm})` : ''}` },
          ...(['realised', 'estimated', 'baseline'] as const).map((which) => ({
            title: TITLES[which],
            cell: ({ summary }: { summary: Summary }) => <Figure of={summary[which]} scale={scaleOf(summary)} />,
          })),
          {
            title: 'Truths',
            align: 'right' as const,
            cell: ({ summary }: { summary: Summary }) => formatNumber(summary.realised?.rows ?? 0),
          },
        ]}
      />
    </Panel>
  );
}

const TITLES = { realised: 'Came true', estimated: 'Expected', baseline: 'Held out in training' };

/** Both ends of all that is known of a measure. */
function scaleOf({ realised, estimated, baseline }: Summary): [number, number] {
  const ends = [realised, estimated, baseline].flatMap((one) =>
    one ? [one.value, one.lower, one.upper].filter((end) => end !== null) : [],
  );
  return [Math.min(...ends), Math.max(...ends)];
}

function Figure({ of, scale: [from, to] }: { of: Summary['realised']; scale: [number, number] }) {
  if (!of || of.value === null) return <>—</>;
  return (
    <Group gap={8} wrap="nowrap">
      <span className="figure measure">{formatNumber(of.value)}</span>
      <IntervalBar value={of.value} lower={of.lower} upper={of.upper} from={from} to={to} width={100} />
    </Group>
  );
}

function Series({ series }: { series: Performance['series'] }) {
  const measures = [
    ...new Set(
      series.flatMap(({ heads }) =>
        Object.entries(heads).flatMap(([head, metrics]) => Object.keys(metrics).map((name) => `${head}: ${name}`)),
      ),
    ),
  ];
  const [chosen, setChosen] = useState<string | null>(null);
  const measure = chosen ?? measures.find((one) => hasEstimate(series, one)) ?? measures[0];
  if (!measure) return null;
  const [head = '', name = ''] = measure.split(': ');
  const rows = series
    .filter(({ segment }) => segment === '')
    .map(({ start, version, heads }) => {
      const summary = heads[head]?.[name];
      return {
        start: start.slice(0, start.endsWith('T00:00:00.000Z') ? 10 : 16).replace('T', ' '),
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

/** Measures whose expectation can be held beside what came true tell most. */
const hasEstimate = (series: Performance['series'], measure: string) => {
  const [head = '', name = ''] = measure.split(': ');
  return series.some(({ heads }) => heads[head]?.[name]?.estimated);
};
