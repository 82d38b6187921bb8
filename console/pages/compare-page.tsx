import { Text } from '@mantine/core';
import { useParams } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatBytes, formatName, formatNumber, formatValue } from '../parts/format-number.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status, toneOf } from '../parts/status.js';
import type { components } from '../service/client.js';
import { useRead } from '../service/use-read.js';

type Comparison = components['schemas']['Comparison'];

export default function ComparePage() {
  const { model, a, b } = useParams<{ model: string; a: string; b: string }>();
  const read = useRead('/models/{model}/versions/{version}/compare/{other}', { path: { model, version: a, other: b } });
  return (
    <Page
      title={`${model}: ${a} and ${b}`}
      parents={[
        { title: 'Models', to: '/models' },
        { title: model, to: pathTo.model(model) },
      ]}
      lead={read.data?.basis}
    >
      <Loaded of={read} lines={8}>
        {(comparison) => (
          <>
            <Panel title="On the same rows">
              <Text component="div" fw={600}>
                <Status state={comparison.paired.verdict} />
              </Text>
              <Text size="sm">{comparison.paired.reason}</Text>
            </Panel>
            <MetricDifferences comparison={comparison} />
            <Differences title="Hyperparameters" rows={comparison.hyperparameters} comparison={comparison} />
            <Differences title="Data" rows={comparison.data} comparison={comparison} />
            <Panel title="Features and size">
              <Facts
                items={[
                  [`Only in ${a}`, comparison.features.only_a.join(', ')],
                  [`Only in ${b}`, comparison.features.only_b.join(', ')],
                  ['In both', formatNumber(comparison.features.shared.length)],
                  [`Size of ${a}`, formatBytes(comparison.a.bytes)],
                  [`Size of ${b}`, formatBytes(comparison.b.bytes)],
                  [
                    `Median answer of ${a}`,
                    comparison.a.latency && `${formatNumber(comparison.a.latency.median_us)} µs`,
                  ],
                  [
                    `Median answer of ${b}`,
                    comparison.b.latency && `${formatNumber(comparison.b.latency.median_us)} µs`,
                  ],
                ]}
              />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function MetricDifferences({ comparison: { metrics, a, b } }: { comparison: Comparison }) {
  const rows = metrics.map(({ head, metric, difference, lower, upper, verdict, ...both }) => ({
    head,
    metric,
    a: both.a?.value ?? null,
    b: both.b?.value ?? null,
    difference,
    lower,
    upper,
    verdict,
  }));
  return (
    <ChartPanel title="Metrics" note={`${b.version} minus ${a.version}, with a 95 % interval`} rows={rows}>
      <DataTable
        caption="Metrics side by side"
        rows={rows}
        keyOf={({ head, metric }) => `${head} ${metric}`}
        columns={[
          {
            title: 'Metric',
            isHeading: true,
            cell: ({ head, metric }) => `${formatName(head)}: ${formatName(metric)}`,
          },
          { title: a.version, align: 'right', cell: (row) => formatNumber(row.a) },
          { title: b.version, align: 'right', cell: (row) => formatNumber(row.b) },
          { title: 'Difference', align: 'right', cell: (row) => formatNumber(row.difference) },
          {
            title: 'Interval',
            cell: ({ difference, lower, upper, verdict }) => {
              const most = Math.max(...[difference, lower, upper].map((end) => Math.abs(end ?? 0)));
              return (
                <IntervalBar
                  value={difference}
                  lower={lower}
                  upper={upper}
                  from={-most}
                  to={most}
                  tone={toneOf(verdict)}
                />
              );
            },
          },
          { title: 'Verdict', cell: ({ verdict }) => <Status state={verdict} /> },
        ]}
      />
    </ChartPanel>
  );
}

function Differences({
  title,
  rows,
  comparison: { a, b },
}: {
  title: string;
  rows: Comparison['data'];
  comparison: Comparison;
}) {
  return (
    <Panel title={title}>
      <DataTable
        caption={title}
        rows={rows.toSorted((one, other) => Number(other.differs) - Number(one.differs))}
        keyOf={({ name }) => name}
        columns={[
          { title: 'Name', isHeading: true, cell: ({ name }) => formatName(name) },
          { title: a.version, cell: (row) => formatValue(row.a) },
          { title: b.version, cell: (row) => formatValue(row.b) },
          {
            title: 'Same',
            cell: ({ differs }) => <Status state={differs ? 'differs' : 'same'} tone={differs ? 'waiting' : 'plain'} />,
          },
        ]}
      />
    </Panel>
  );
}
