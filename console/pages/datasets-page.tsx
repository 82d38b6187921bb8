import { TextInput } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { IngestButton } from './ingest-button.js';

export default function DatasetsPage() {
  const [type, setType] = useFilter('data_type');
  const [cursor] = useFilter('cursor');
  const datasets = useRead('/data/datasets', { query: { data_type: type, cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Datasets"
      lead="Each ingestion makes a dataset that never changes; training takes the newest good one of its data type."
      actions={<IngestButton />}
    >
      <TextInput
        label="Data type"
        placeholder="all"
        value={type ?? ''}
        onChange={(event) => setType(event.currentTarget.value)}
        w={260}
      />
      <Loaded of={datasets} lines={8}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No such dataset">
              Ingest a file, a table, an API or events: the button above begins.
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Datasets, newest first"
                rows={items}
                keyOf={({ dataset_id: id }) => id}
                columns={[
                  {
                    title: 'Dataset',
                    isHeading: true,
                    cell: ({ dataset_id: id, data_type: name }) => <AppLink to={pathTo.dataset(id)}>{name}</AppLink>,
                  },
                  { title: 'Rows', align: 'right', cell: ({ rows }) => formatNumber(rows) },
                  { title: 'In quarantine', align: 'right', cell: ({ quarantined_rows: rows }) => formatNumber(rows) },
                  { title: 'Source', cell: ({ source }) => source },
                  { title: 'Made', cell: ({ created_at: at }) => <Time at={at} /> },
                ]}
              />
              <NextPage cursor={next} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
