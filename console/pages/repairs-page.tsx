import { Group } from '@mantine/core';
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
import { useModelChoice } from './model-choice.js';
import { RepairButton } from './repair-button.js';

export default function RepairsPage() {
  const [cursor] = useFilter('cursor');
  const { model, choice } = useModelChoice({ isOptional: true });
  const repairs = useRead('/repairs', { query: { model, cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Repairs"
      lead="Where the world has changed, a model is trained anew, held against the present one on fresh rows, and rolled out where it does better."
    >
      <Group align="flex-end">
        {choice}
        {model && <RepairButton model={model} />}
      </Group>
      <Loaded of={repairs}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No repair yet">
              Alerts that advise to retrain begin them, for models whose schedule allows it.
            </EmptyState>
          ) : (
            <>
              <DataTable
                caption="Repairs, newest first"
                rows={items}
                keyOf={({ repair_id: id }) => id}
                columns={[
                  {
                    title: 'Repair',
                    isHeading: true,
                    cell: (one) => <AppLink to={pathTo.repair(one.repair_id)}>{one.model}</AppLink>,
                  },
                  { title: 'State', cell: ({ state }) => <Status state={state} /> },
                  { title: 'Why', cell: ({ trigger }) => trigger },
                  { title: 'Before', cell: ({ former_version: version }) => version },
                  { title: 'New', cell: ({ new_version: version }) => version ?? '—' },
                  { title: 'Reason', cell: ({ reason }) => reason ?? '—' },
                  { title: 'Begun', cell: ({ created_at: at }) => <Time at={at} /> },
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
