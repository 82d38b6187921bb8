import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatNumber } from '../parts/format-number.js';
import { formatSeconds } from '../parts/format-seconds.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

type View = components['schemas']['FeatureView'];

/** Whether the online values are young enough to be used. */
export function Freshness({ view: { materialized, ttl_seconds: ttl } }: { view: View }) {
  if (!materialized) return <Status state="never filled" tone="waiting" />;
  const isFresh = materialized.age_seconds <= ttl;
  return <Status state={`${formatSeconds(materialized.age_seconds)} old`} tone={isFresh ? 'good' : 'waiting'} />;
}

export default function FeaturesPage() {
  const views = useRead('/features/views', { query: { limit: 200 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Features"
      lead="Views that models share: what they are made of, how old their values are, and who uses them."
    >
      <Loaded of={views}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No view yet">models/features.yaml or PUT /features/views/… declares one.</EmptyState>
          ) : (
            <DataTable
              caption="Feature views"
              rows={items}
              keyOf={({ view }) => view}
              columns={[
                {
                  title: 'View',
                  isHeading: true,
                  cell: ({ view }) => <AppLink to={pathTo.view(view)}>{view}</AppLink>,
                },
                { title: 'Version', align: 'right', cell: ({ version }) => version },
                { title: 'Entity', cell: ({ entity }) => entity },
                { title: 'Features', align: 'right', cell: ({ features }) => features.length },
                { title: 'Online values', cell: (view) => <Freshness view={view} /> },
                { title: 'Entities', align: 'right', cell: ({ materialized }) => formatNumber(materialized?.entities) },
                {
                  title: 'Used by',
                  cell: ({ consumers }) =>
                    consumers.map(({ model, version }) => `${model} ${version}`).join(', ') || 'no model',
                },
              ]}
            />
          )
        }
      </Loaded>
    </Page>
  );
}
