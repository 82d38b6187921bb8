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
import { StartExperimentButton } from './start-experiment-button.js';

export default function ExperimentsPage() {
  const [cursor] = useFilter('cursor');
  const experiments = useRead('/experiments', { query: { cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Experiments"
      lead="Each version gets its share of the entities, until they can be told apart."
      actions={<StartExperimentButton />}
    >
      <Loaded of={experiments} lines={6}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No experiment yet">
              It takes two versions of a model, and feedback on their predictions.
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Experiments, newest first"
                rows={items}
                keyOf={({ experiment_id: id }) => id}
                columns={[
                  {
                    title: 'Experiment',
                    isHeading: true,
                    cell: ({ experiment_id: id, model }) => <AppLink to={pathTo.experiment(id)}>{model}</AppLink>,
                  },
                  { title: 'State', cell: ({ state }) => <Status state={state} /> },
                  { title: 'Arms', cell: ({ arms }) => arms.map(({ version }) => version).join(', ') },
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
