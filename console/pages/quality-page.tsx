import { Group, SimpleGrid, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber, formatPercent } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { SeriesChart } from '../parts/series-chart.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { useModelChoice } from './model-choice.js';

type Quality = components['schemas']['DataQuality'];

export default function QualityPage() {
  const { model, choice } = useModelChoice();
  const quality = useRead(
    '/analytics/data-quality',
    { query: { model_type: model ?? '' } },
    { everyMs: 4 * LIVE_MS, enabled: model !== undefined },
  );
  return (
    <Page
      title="Data quality"
      lead="The state of a model’s data, as it was ingested and as it was sent for predictions."
    >
      <Group>{choice}</Group>
      <Loaded of={quality}>
        {(read) => (
          <>
            <NewestDataset quality={read} />
            <Datasets datasets={read.datasets} />
            <Requests requests={read.requests} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function NewestDataset({ quality: { newest_dataset: newest, data_type: type } }: { quality: Quality }) {
  if (!newest)
    return (
      <Panel title="Newest dataset">
        <EmptyState title="No dataset yet">Nothing of the data type {type} was ingested.</EmptyState>
      </Panel>
    );
  const { dataset_id: id, report, missing, findings } = newest;
  return (
    <Panel title="Newest dataset">
      <Stack>
        <Facts
          items={[
            [
              'Dataset',
              <AppLink key="dataset" to={pathTo.dataset(id)}>
                {id}
              </AppLink>,
            ],
            ['Data type', type],
            ['Ingested', <Time key="at" at={newest.created_at} />],
            ['Age', formatSeconds(newest.age_hours * 3600)],
            ['Rows', formatNumber(newest.rows)],
            ['In quarantine', formatNumber(newest.quarantined_rows)],
            ['Validation', report ? <Verdict key="report" passed={report.passed} /> : 'none yet'],
          ]}
        />
        {report && report.failed_checks.length > 0 && (
          <DataTable
            caption="Checks that failed"
            rows={report.failed_checks}
            keyOf={({ name }) => name}
            columns={[
              { title: 'Check', isHeading: true, cell: ({ name }) => formatName(name) },
              { title: 'Severity', cell: ({ severity }) => severity },
              { title: 'What was found', cell: ({ message }) => message },
            ]}
          />
        )}
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Part title="Columns with missing values" rows={missing} none="No cell is empty.">
            <Missing rows={missing} />
          </Part>
          <Part title="Remarks" rows={findings} none="Nothing was remarked when it was ingested.">
            <DataTable
              caption="Remarks about the dataset"
              rows={findings}
              keyOf={({ column, message }) => `${column} ${message}`}
              columns={[
                { title: 'Column', isHeading: true, cell: ({ column }) => column ?? 'all' },
                { title: 'What', cell: ({ message }) => message },
                { title: 'Rows', align: 'right', cell: ({ rows }) => formatNumber(rows) },
              ]}
            />
          </Part>
        </SimpleGrid>
      </Stack>
    </Panel>
  );
}

const Verdict = ({ passed }: { passed: boolean }) => <Status state={passed ? 'passed' : 'failed'} />;

function Part({
  title,
  rows,
  none,
  children,
}: {
  title: string;
  rows: readonly unknown[];
  none: string;
  children: ReactNode;
}) {
  return (
    <section aria-label={title}>
      <h3 className="part-title">{title}</h3>
      {rows.length === 0 ? none : children}
    </section>
  );
}

function Missing({ rows }: { rows: readonly { column: string; share: number }[] }) {
  return (
    <DataTable
      caption="Share of empty cells"
      rows={rows}
      keyOf={({ column }) => column}
      columns={[
        { title: 'Column', isHeading: true, cell: ({ column }) => column },
        { title: 'Empty', align: 'right', cell: ({ share }) => formatPercent(share) },
      ]}
    />
  );
}

function Datasets({ datasets }: { datasets: Quality['datasets'] }) {
  if (datasets.length === 0) return null;
  const rows = datasets.map(({ at, rows: kept, quarantined_rows: quarantined, age_hours: age }) => ({
    day: at.slice(0, 10),
    rows: kept,
    quarantined_rows: quarantined,
    age_hours: age,
  }));
  return (
    <ChartPanel title="What was ingested" note="Rows by day, and those that went to quarantine" rows={rows}>
      <SeriesChart label="Rows that were ingested" rows={rows} x="day" lines={['rows', 'quarantined_rows']} />
    </ChartPanel>
  );
}

/** What the monitors found in the newest day of requests that they have judged. */
function Requests({ requests }: { requests: Quality['requests'] }) {
  const newest = requests.at(-1);
  if (!newest)
    return (
      <Panel title="What was sent for predictions">
        <EmptyState title="Nothing was judged yet">The monitor of the model looks at requests by the clock.</EmptyState>
      </Panel>
    );
  const { violations, missing, out_of_range: outside } = newest;
  return (
    <Panel
      title="What was sent for predictions"
      note={`${formatNumber(newest.rows)} rows of the newest day that was judged, ${newest.at.slice(0, 10)}`}
    >
      <SimpleGrid cols={{ base: 1, md: 3 }}>
        <Part title="Not as declared" rows={violations} none="Every value is as the data type declares it.">
          <DataTable
            caption="Values that are not as declared"
            rows={violations}
            keyOf={({ column, violation }) => `${column} ${violation}`}
            columns={[
              { title: 'Column', isHeading: true, cell: ({ column }) => column },
              { title: 'What', cell: ({ violation }) => formatName(violation) },
              { title: 'Share', align: 'right', cell: ({ share }) => formatPercent(share) },
            ]}
          />
        </Part>
        <Part title="Missing" rows={missing} none="No value was left out.">
          <Missing rows={missing} />
        </Part>
        <Part title="Beyond all that was seen in training" rows={outside} none="No value lies outside.">
          <DataTable
            caption="Values beyond the reference"
            rows={outside}
            keyOf={({ column }) => column}
            columns={[
              { title: 'Column', isHeading: true, cell: ({ column }) => column },
              { title: 'Below', align: 'right', cell: ({ below }) => formatPercent(below) },
              { title: 'Above', align: 'right', cell: ({ above }) => formatPercent(above) },
            ]}
          />
        </Part>
      </SimpleGrid>
    </Panel>
  );
}
