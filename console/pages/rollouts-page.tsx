import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

export default function RolloutsPage() {
  const [cursor] = useFilter('cursor');
  const rollouts = useRead('/deployments', { query: { cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page title="Rollouts" lead="How versions came to their traffic, and what the evidence said.">
      <Loaded of={rollouts} lines={8}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No rollout yet">Open a version of a model and deploy it.</EmptyState>
          ) : (
            <>
              <DataTable
                caption="Rollouts, newest first"
                rows={items}
                keyOf={({ deployment_id: id }) => id}
                columns={[
                  {
                    title: 'Rollout',
                    isHeading: true,
                    cell: ({ deployment_id: id, model, version }) => (
                      <AppLink to={pathTo.rollout(id)}>
                        {model} {version}
                      </AppLink>
                    ),
                  },
                  { title: 'State', cell: ({ state }) => <Status state={state} /> },
                  { title: 'Strategy', cell: ({ strategy }) => strategy },
                  { title: 'Before', cell: ({ previous_version: before }) => before ?? '—' },
                  { title: 'Reason', cell: ({ reason }) => reason ?? '—' },
                  { title: 'Started', cell: ({ created_at: at }) => <Time at={at} /> },
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
