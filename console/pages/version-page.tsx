import { Group, Stack, Tabs, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { IntervalBar } from '../parts/interval-bar.js';
import { JsonView } from '../parts/json-view.js';
import { Loaded } from '../parts/loaded.js';
import { orderMetrics } from '../parts/order-metrics.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { Metric, Version } from '../service/shapes.js';
import { useFilter } from '../service/use-filter.js';
import { useMay } from '../service/use-caller.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { DeployButton } from './deploy-button.js';

const TryIt = lazy(() => import('./try-it.js'));
const VersionReport = lazy(() => import('./version-report.js'));
const VersionCard = lazy(() => import('./version-card.js'));
const VersionLineage = lazy(() => import('./version-lineage.js'));

export default function VersionPage() {
  const { model, version } = useParams<{ model: string; version: string }>();
  const read = useRead('/models/{model}/versions/{version}', { path: { model, version } }, { everyMs: LIVE_MS });
  const [tab, setTab] = useFilter('tab');
  const mayPredict = useMay('predictor');
  const shown = read.data;
  return (
    <Page
      title={`${model} ${shown?.version ?? version}`}
      parents={[
        { title: 'Models', to: '/models' },
        { title: model, to: pathTo.model(model) },
      ]}
      lead={shown && <Lead version={shown} />}
      actions={shown && <DeployButton version={shown} />}
    >
      <Loaded of={read} lines={8}>
        {(one) => (
          <Tabs value={tab ?? 'metrics'} onChange={setTab} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="metrics">Metrics</Tabs.Tab>
              {mayPredict && <Tabs.Tab value="try">Try it</Tabs.Tab>}
              <Tabs.Tab value="report">Report</Tabs.Tab>
              <Tabs.Tab value="card">Card</Tabs.Tab>
              <Tabs.Tab value="lineage">Lineage</Tabs.Tab>
            </Tabs.List>
            <Suspense fallback={<div role="status" aria-label="Loading" />}>
              <Tabs.Panel value="metrics">
                <Metrics version={one} />
              </Tabs.Panel>
              <Tabs.Panel value="try">
                <TryIt version={one} />
              </Tabs.Panel>
              <Tabs.Panel value="report">
                <VersionReport version={one} />
              </Tabs.Panel>
              <Tabs.Panel value="card">
                <VersionCard version={one} />
              </Tabs.Panel>
              <Tabs.Panel value="lineage">
                <VersionLineage version={one} />
              </Tabs.Panel>
            </Suspense>
          </Tabs>
        )}
      </Loaded>
    </Page>
  );
}

function Lead({ version }: { version: Version }) {
  return (
    <Group gap="md">
      <Status state={version.state} />
      <Status
        state={version.promotable ? 'may take traffic' : 'no skill shown'}
        tone={version.promotable ? 'good' : 'waiting'}
      />
      {version.aliases.length > 0 && <span>alias {version.aliases.join(', ')}</span>}
      <span>
        trained <Time at={version.created_at} />
      </span>
    </Group>
  );
}

function Metrics({ version }: { version: Version }) {
  const parameters = version.parameters as { algorithm?: string; hyperparameters?: unknown };
  const lineage = version.lineage as { dataset_id?: string; training_rows?: number; holdout_rows?: number };
  const verdict = version.verdict as { reason?: string };
  return (
    <Stack gap="lg">
      {verdict.reason && <Text>{verdict.reason}</Text>}
      {Object.entries(version.metrics).map(([head, metrics]) => (
        <HeadMetrics key={head} head={head} metrics={metrics} />
      ))}
      <Panel title="How it was made">
        <Stack>
          <Facts
            items={[
              ['Algorithm', formatName(parameters.algorithm ?? '')],
              [
                'Dataset',
                lineage.dataset_id && <AppLink to={pathTo.dataset(lineage.dataset_id)}>{lineage.dataset_id}</AppLink>,
              ],
              ['Rows learnt from', formatNumber(lineage.training_rows)],
              ['Rows held out', formatNumber(lineage.holdout_rows)],
              [
                'Job',
                <AppLink key="j" to={pathTo.job(version.job_id)}>
                  {version.job_id}
                </AppLink>,
              ],
              ['Digest', version.digest.slice(0, 16)],
            ]}
          />
          <JsonView value={version.parameters} label="Parameters of the training" />
        </Stack>
      </Panel>
    </Stack>
  );
}

type NamedMetric = Metric & { name: string };

function HeadMetrics({ head, metrics }: { head: string; metrics: Record<string, Metric> }) {
  const rows: NamedMetric[] = orderMetrics(metrics).map(([name, metric]) => ({ ...metric, name }));
  return (
    <ChartPanel
      title={formatName(head)}
      note="On rows that no fit has seen, with 95 % intervals"
      rows={rows.map(({ name, value, lower, upper, rows: count }) => ({
        metric: name,
        value,
        lower,
        upper,
        rows: count,
      }))}
    >
      <DataTable
        caption={`Metrics of ${formatName(head)}`}
        rows={rows}
        keyOf={({ name }) => name}
        columns={[
          { title: 'Metric', isHeading: true, cell: ({ name }) => formatName(name) },
          { title: 'Value', align: 'right', cell: ({ value }) => formatNumber(value) },
          {
            title: '95 % interval',
            align: 'right',
            cell: ({ lower, upper }) => (lower === null ? '—' : `${formatNumber(lower)} to ${formatNumber(upper)}`),
          },
          { title: 'Between 0 and 1', cell: (metric) => <UnitBar metric={metric} /> },
          { title: 'Rows', align: 'right', cell: ({ rows: count }) => formatNumber(count) },
        ]}
      />
    </ChartPanel>
  );
}

function UnitBar({ metric }: { metric: Metric }) {
  const ends = [metric.value, metric.lower, metric.upper].filter((end) => end !== null);
  return ends.every((end) => end >= 0 && end <= 1) ? <IntervalBar {...metric} from={0} to={1} /> : null;
}
