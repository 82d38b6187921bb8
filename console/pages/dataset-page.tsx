import { Select, Tabs, Text } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatBytes, formatNumber, formatPercent, formatValue } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage, OF_ROWS } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import type { DatasetColumn } from '../service/shapes.js';
import { useFilter } from '../service/use-filter.js';
import { useRead } from '../service/use-read.js';
import { QuarantinePanel } from './quarantine-panel.js';
import { ValidationPanel } from './validation-panel.js';

const Histogram = lazy(() => import('../parts/histogram.js'));
const DatasetLineage = lazy(() => import('./dataset-lineage.js'));

type Dataset = components['schemas']['Dataset'];
interface Quality {
  column: string;
  message: string;
  severity: string;
  rows?: number;
}

export default function DatasetPage() {
  const { id } = useParams<{ id: string }>();
  const read = useRead('/data/datasets/{dataset_id}', { path: { dataset_id: id } });
  const [tab, setTab] = useFilter('tab');
  return (
    <Page
      title={read.data?.data_type ?? 'Dataset'}
      tab={`Dataset ${id}`}
      parents={[{ title: 'Datasets', to: '/datasets' }]}
      lead={id}
    >
      <Loaded of={read} lines={8}>
        {(dataset) => (
          <Tabs value={tab ?? 'columns'} onChange={setTab} keepMounted={false}>
            <Tabs.List mb="md">
              <Tabs.Tab value="columns">Columns</Tabs.Tab>
              <Tabs.Tab value="rows">Rows</Tabs.Tab>
              <Tabs.Tab value="quality">Quality</Tabs.Tab>
              <Tabs.Tab value="quarantine">Quarantine ({formatNumber(dataset.quarantined_rows)})</Tabs.Tab>
              <Tabs.Tab value="lineage">Lineage</Tabs.Tab>
            </Tabs.List>
            <Suspense fallback={<div role="status" aria-label="Loading" />}>
              <Tabs.Panel value="columns">
                <Columns dataset={dataset} />
              </Tabs.Panel>
              <Tabs.Panel value="rows">
                <Rows dataset={dataset} />
              </Tabs.Panel>
              <Tabs.Panel value="quality">
                <QualityPanel quality={dataset.quality as unknown as Quality[]} />
                <ValidationPanel datasetId={id} />
              </Tabs.Panel>
              <Tabs.Panel value="quarantine">
                <QuarantinePanel
                  datasetId={id}
                  columns={(dataset.columns as unknown as DatasetColumn[]).map(({ name }) => name)}
                />
              </Tabs.Panel>
              <Tabs.Panel value="lineage">
                <DatasetLineage datasetId={id} />
              </Tabs.Panel>
            </Suspense>
          </Tabs>
        )}
      </Loaded>
    </Page>
  );
}

function Columns({ dataset }: { dataset: Dataset }) {
  const columns = dataset.columns as unknown as DatasetColumn[];
  const [chosen, setChosen] = useState<string | null>(null);
  const column =
    columns.find(({ name }) => name === chosen) ?? columns.find(({ type }) => isNumeric(type)) ?? columns[0];
  return (
    <>
      <Panel title="Dataset">
        <Facts
          items={[
            ['Rows', formatNumber(dataset.rows)],
            ['Size', formatBytes(dataset.bytes)],
            ['Source', dataset.source],
            ['Made', <Time key="t" at={dataset.created_at} />],
            [
              'Job',
              <AppLink key="j" to={pathTo.job(dataset.job_id)}>
                {dataset.job_id}
              </AppLink>,
            ],
            ['Digest', dataset.digest.slice(0, 16)],
          ]}
        />
      </Panel>
      <br />
      {column && (
        <Histogram
          datasetId={dataset.dataset_id}
          column={column}
          choice={
            <Select
              aria-label="Column of the histogram"
              size="xs"
              searchable
              data={columns.map(({ name }) => name)}
              value={column.name}
              onChange={setChosen}
              allowDeselect={false}
            />
          }
        />
      )}
      <br />
      <ChartPanel
        title="Columns"
        note="Of all rows"
        rows={columns.map(({ quartiles, ...rest }) => ({
          ...rest,
          quartile_1: quartiles?.[0],
          median: quartiles?.[1],
          quartile_3: quartiles?.[2],
        }))}
      >
        <DataTable
          caption="Columns of the dataset"
          rows={columns}
          keyOf={({ name }) => name}
          columns={[
            { title: 'Column', isHeading: true, cell: ({ name }) => name },
            { title: 'Type', cell: ({ type }) => type },
            { title: 'Empty', align: 'right', cell: ({ null_share: share }) => formatPercent(share) },
            { title: 'Distinct', align: 'right', cell: ({ distinct }) => formatNumber(distinct) },
            { title: 'Least', cell: ({ minimum }) => formatValue(minimum) },
            { title: 'Median', cell: ({ quartiles }) => formatValue(quartiles?.[1]) },
            { title: 'Most', cell: ({ maximum }) => formatValue(maximum) },
            { title: 'Mean', align: 'right', cell: ({ mean }) => formatNumber(mean) },
          ]}
        />
      </ChartPanel>
    </>
  );
}

export const isNumeric = (type: string): boolean => ['number', 'integer', 'double', 'bigint', 'float'].includes(type);

function Rows({ dataset }: { dataset: Dataset }) {
  const [cursor] = useFilter('cursor');
  const rows = useRead('/data/datasets/{dataset_id}/rows', {
    path: { dataset_id: dataset.dataset_id },
    query: { limit: 50, cursor },
  });
  const names = (dataset.columns as unknown as DatasetColumn[]).map(({ name }) => name);
  return (
    <Loaded of={rows} lines={8}>
      {({ items, next_cursor: next }) => (
        <ChartPanel title="Rows" note="In the order of the source" rows={items}>
          <DataTable
            caption="Rows of the dataset"
            rows={items}
            keyOf={(_, index) => String(index)}
            columns={names.map((name) => ({
              title: name,
              cell: (row: Record<string, unknown>) => formatValue(row[name]),
            }))}
          />
          <NextPage cursor={next} words={OF_ROWS} />
        </ChartPanel>
      )}
    </Loaded>
  );
}

function QualityPanel({ quality }: { quality: readonly Quality[] }) {
  return (
    <Panel title="Found while it was read">
      {quality.length === 0 ? (
        <EmptyState title="Nothing to complain about" />
      ) : (
        <DataTable
          caption="What was found"
          rows={quality}
          keyOf={({ column, message }) => column + message}
          columns={[
            { title: 'Column', isHeading: true, cell: ({ column }) => column },
            { title: 'Severity', cell: ({ severity }) => <Status state={severity} /> },
            { title: 'What', cell: ({ message }) => <Text size="sm">{message}</Text> },
            { title: 'Rows', align: 'right', cell: ({ rows }) => formatNumber(rows) },
          ]}
        />
      )}
    </Panel>
  );
}
