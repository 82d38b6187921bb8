import { Group, Select, TextInput } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { orderMetrics } from '../parts/order-metrics.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

const RunPlots = lazy(() => import('./run-plots.js'));

export default function RunsPage() {
  const [model, setModel] = useFilter('model');
  const [filter, setFilter] = useFilter('filter');
  const [cursor] = useFilter('cursor');
  const [typed, setTyped] = useState(filter ?? '');
  const models = useRead('/models');
  const runs = useRead(
    '/runs',
    { query: { model, filter, cursor, kind: 'training', limit: 25 } },
    { everyMs: LIVE_MS },
  );
  return (
    <Page title="Runs" lead="Every training with its parameters, figures and cost.">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setFilter(typed.trim() || null);
        }}
      >
        <Group>
          <Select
            label="Model"
            placeholder="all"
            clearable
            data={models.data?.items.map((one) => one.model) ?? []}
            value={model ?? null}
            onChange={setModel}
            w={220}
          />
          <TextInput
            label="Filter (Enter)"
            placeholder="metrics.roc_auc > 0.8 and params.max_depth = 10"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            w={{ base: '100%', sm: 420 }}
          />
        </Group>
      </form>
      <Loaded of={runs} lines={8}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No such run" />
          ) : (
            <>
              <DataTable
                caption="Runs, newest first"
                rows={items}
                keyOf={({ run_id: id }) => id}
                columns={[
                  {
                    title: 'Run',
                    isHeading: true,
                    cell: ({ run_id: id, model: name, version }) => (
                      <AppLink to={pathTo.run(id)}>
                        {name} {version ?? ''}
                      </AppLink>
                    ),
                  },
                  { title: 'State', cell: ({ status }) => <Status state={status} /> },
                  { title: 'First figures', cell: ({ metrics }) => firstFigures(metrics) },
                  { title: 'Took', align: 'right', cell: ({ cost }) => formatSeconds(cost.wall_seconds) },
                  { title: 'CPU', align: 'right', cell: ({ cost }) => formatSeconds(cost.cpu_seconds) },
                  { title: 'Started', cell: ({ created_at: at }) => <Time at={at} /> },
                ]}
              />
              <NextPage cursor={next} />
            </>
          )
        }
      </Loaded>
      {model && (
        <Suspense fallback={<div role="status" aria-label="Loading" />}>
          <RunPlots query={{ model, kind: 'training' }} />
        </Suspense>
      )}
    </Page>
  );
}

const firstFigures = (metrics: Record<string, number>) =>
  orderMetrics(metrics)
    .slice(0, 2)
    .map(([name, value]) => `${formatName(name)} ${formatNumber(value)}`)
    .join(', ');
