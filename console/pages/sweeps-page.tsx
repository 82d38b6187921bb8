import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';

export default function SweepsPage() {
  const [cursor] = useFilter('cursor');
  const sweeps = useRead('/sweeps', { query: { cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page title="Sweeps" lead="Searches for hyperparameters. A training with a number of trials begins one.">
      <Loaded of={sweeps} lines={6}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No sweep yet">Train a model and give a number of trials.</EmptyState>
          ) : (
            <>
              <DataTable
                caption="Sweeps, newest first"
                rows={items}
                keyOf={({ sweep_id: id }) => id}
                columns={[
                  {
                    title: 'Sweep',
                    isHeading: true,
                    cell: ({ sweep_id: id, model }) => <AppLink to={pathTo.sweep(id)}>{model}</AppLink>,
                  },
                  { title: 'State', cell: ({ state }) => <Status state={state} /> },
                  {
                    title: 'Done',
                    align: 'right',
                    cell: ({ counts, trials }) => `${counts.completed + counts.pruned + counts.failed} of ${trials}`,
                  },
                  { title: 'Best loss', align: 'right', cell: ({ best }) => formatNumber(best?.loss) },
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
