import { Group, Select } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Unavailable } from '../parts/unavailable.js';
import { client } from '../service/client.js';
import type { Alert, ListOf } from '../service/shapes.js';
import { useMay } from '../service/use-caller.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useReadIfThere } from '../service/use-read.js';

export default function AlertsPage() {
  const [status, setStatus] = useFilter('status');
  const [cursor] = useFilter('cursor');
  const alerts = useReadIfThere<ListOf<Alert>>('/alerts', { status, cursor, limit: 50 }, { everyMs: LIVE_MS });
  return (
    <Page title="Alerts" lead="What monitors found and somebody should look at.">
      <Group>
        <Select
          label="State"
          placeholder="all"
          clearable
          data={['open', 'acknowledged', 'resolved']}
          value={status ?? null}
          onChange={setStatus}
          w={180}
        />
      </Group>
      <Loaded of={alerts}>
        {(list) => {
          if (!list) return <Unavailable what="alerts" />;
          if (list.items.length === 0) return <EmptyState title="No such alert" />;
          return (
            <>
              <DataTable
                caption="Alerts, newest first"
                rows={list.items}
                keyOf={({ alert_id: id }) => id}
                columns={[
                  { title: 'What', isHeading: true, cell: ({ summary }) => summary },
                  {
                    title: 'Model',
                    cell: ({ model }) => (model ? <AppLink to={pathTo.model(model)}>{model}</AppLink> : 'the platform'),
                  },
                  {
                    title: 'Severity',
                    cell: ({ severity }) => (
                      <Status
                        state={severity}
                        tone={severity === 'high' ? 'bad' : severity === 'medium' ? 'waiting' : 'plain'}
                      />
                    ),
                  },
                  {
                    title: 'State',
                    cell: ({ status: state }) => <Status state={state} tone={state === 'open' ? 'bad' : undefined} />,
                  },
                  { title: 'Value', align: 'right', cell: ({ value }) => formatNumber(value) },
                  { title: 'Limit', align: 'right', cell: ({ threshold }) => formatNumber(threshold) },
                  { title: 'Opened', cell: ({ opened_at: at }) => <Time at={at} /> },
                  { title: 'Do', cell: (alert) => <AlertActions alert={alert} /> },
                ]}
              />
              <NextPage cursor={list.next_cursor} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function AlertActions({ alert }: { alert: Alert }) {
  const mayAct = useMay('engineer');
  if (!mayAct || alert.status === 'resolved') return null;
  const send = (command: string) => (note: string | undefined) =>
    client.post(
      `/alerts/{alert_id}/${command}` as never,
      { path: { alert_id: alert.alert_id }, body: note ? { note } : {} } as never,
    );
  return (
    <Group gap={6} wrap="nowrap">
      {alert.status === 'open' && (
        <ConfirmButton
          label="Acknowledge"
          size="compact-xs"
          question="Say that you look after it?"
          takesNote
          send={send('acknowledge')}
        />
      )}
      <ConfirmButton label="Resolve" size="compact-xs" question="Is it over?" takesNote send={send('resolve')} />
    </Group>
  );
}
