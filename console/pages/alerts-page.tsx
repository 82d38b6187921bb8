import { Group, Select, Text } from '@mantine/core';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { AlertActions, severityTone, statusTone } from './alert-actions.js';
import { useModelChoice } from './model-choice.js';

const STATES = ['open', 'acknowledged', 'resolved'] as const;

export default function AlertsPage() {
  const [status, setStatus] = useFilter('status');
  const [cursor] = useFilter('cursor');
  const { model, choice } = useModelChoice({ isOptional: true });
  const state = STATES.find((one) => one === status);
  const alerts = useRead('/alerts', { query: { status: state, model, cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page title="Alerts" lead="What monitors found and somebody should look at.">
      <Group>
        <Select
          label="State"
          placeholder="all"
          clearable
          data={[...STATES]}
          value={state ?? null}
          onChange={setStatus}
          w={180}
        />
        {choice}
      </Group>
      {model && <Budget model={model} />}
      <Loaded of={alerts}>
        {({ items, next_cursor: next }) =>
          items.length === 0 ? (
            <EmptyState title="No such alert">Nothing that is watched asks for anybody.</EmptyState>
          ) : (
            <>
              <DataTable
                caption="Alerts, newest first"
                rows={items}
                keyOf={({ alert_id: id }) => id}
                columns={[
                  {
                    title: 'What',
                    isHeading: true,
                    cell: (alert) => (
                      <div className="told">
                        <AppLink to={pathTo.alert(alert.alert_id)}>{nameOf(alert)}</AppLink>
                        <Text size="sm" c="dimmed" lineClamp={2}>
                          {alert.summary}
                        </Text>
                      </div>
                    ),
                  },
                  {
                    title: 'Model',
                    cell: ({ model: one }) => (one ? <AppLink to={pathTo.model(one)}>{one}</AppLink> : 'the platform'),
                  },
                  {
                    title: 'Severity',
                    cell: ({ severity }) => <Status state={severity} tone={severityTone(severity)} />,
                  },
                  { title: 'State', cell: (alert) => <Status state={alert.status} tone={statusTone(alert.status)} /> },
                  { title: 'Opened', cell: ({ opened_at: at }) => <Time at={at} /> },
                  { title: 'Do', cell: (alert) => <AlertActions alert={alert} /> },
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

/** What the model may raise in vain within a year, and what of that is used. */
function Budget({ model }: { model: string }) {
  const budget = useRead('/alerts/budget', { query: { model } }, { everyMs: LIVE_MS });
  return (
    <Loaded of={budget}>
      {({ used, false_alarms_per_year: most, alerts, used_up: isUsedUp }) => (
        <Text size="sm">
          {`False alarms of a year: ${used} of ${most} used, of ${alerts} alerts.`}
          {isUsedUp && ' Each rule now asks for one more window before it opens an alert.'}
        </Text>
      )}
    </Loaded>
  );
}

/** What it is about, or the rule where that is no part of a model. */
const nameOf = ({ subject, segment, rule }: components['schemas']['Alert']) =>
  `${subject || formatName(rule)}${segment ? ` (${segment})` : ''}`;
