import { Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useParams } from 'wouter';
import { AppLink, pathTo } from '../parts/app-link.js';
import { DataTable } from '../parts/data-table.js';
import { Facts } from '../parts/facts.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { AlertActions, severityTone, statusTone } from './alert-actions.js';
import { FindingEvidence } from './finding-evidence.js';
import { RepairButton } from './repair-button.js';

type Alert = components['schemas']['AlertInFull'];

export default function AlertPage() {
  const { id } = useParams<{ id: string }>();
  const alert = useRead('/alerts/{alert_id}', { path: { alert_id: id } }, { everyMs: LIVE_MS });
  const read = alert.data;
  return (
    <Page
      title={read ? read.subject || formatName(read.rule) : 'Alert'}
      tab={`Alert ${id}`}
      parents={[{ title: 'Alerts', to: '/alerts' }]}
      lead={read?.summary}
      actions={
        read && (
          <>
            <AlertActions alert={read} size="sm" />
            {read.model && read.status !== 'resolved' && <RepairButton model={read.model} />}
          </>
        )
      }
    >
      <Loaded of={alert}>
        {(found) => (
          <>
            <Panel title="State">
              <Facts items={factsOf(found)} />
            </Panel>
            {Object.keys(found.evidence).length > 0 && (
              <Panel title="Evidence">
                <FindingEvidence evidence={found.evidence} of={found.subject} />
              </Panel>
            )}
            <History history={found.history} />
            {found.deliveries.length > 0 && <Deliveries deliveries={found.deliveries} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function factsOf(alert: Alert): [string, ReactNode][] {
  const { model, severity, status } = alert;
  return [
    ['State', <Status key="state" state={status} tone={statusTone(status)} />],
    ['Severity', <Status key="severity" state={severity} tone={severityTone(severity)} />],
    [
      'Model',
      model ? (
        <AppLink key="model" to={pathTo.model(model)}>
          {model}
        </AppLink>
      ) : (
        'the platform'
      ),
    ],
    ['Version', alert.version],
    ['Rule', alert.rule],
    ['Segment', alert.segment],
    ['Value', formatNumber(alert.value)],
    ['Limit', formatNumber(alert.threshold)],
    ['Owner', alert.owner],
    ['Opened', <Time key="opened" at={alert.opened_at} />],
    ['Acknowledged by', alert.acknowledged_by],
    ['Resolved', alert.resolved_at && <Time key="resolved" at={alert.resolved_at} />],
    ['Resolved by', alert.resolved_by],
    ['Marked as', alert.false_alarm ? 'false alarm' : null],
    [
      'All that is watched',
      model && (
        <AppLink key="drift" to={pathTo.drift(model)}>
          Drift of {model}
        </AppLink>
      ),
    ],
  ];
}

function History({ history }: { history: Alert['history'] }) {
  return (
    <Panel title="History">
      <ol className="story">
        {history.map(({ event, by, note, detail, at }) => {
          const job = (detail as { job_id?: string } | null)?.job_id;
          return (
            <li key={`${event} ${at}`}>
              <Text span size="sm" c="dimmed">
                <Time at={at} />, by {by}
              </Text>
              <Text component="div">
                {formatName(event)}
                {note && `: ${note}`} {job && <AppLink to={pathTo.job(job)}>to its job</AppLink>}
              </Text>
            </li>
          );
        })}
      </ol>
    </Panel>
  );
}

function Deliveries({ deliveries }: { deliveries: Alert['deliveries'] }) {
  return (
    <Panel title="Who was told">
      <DataTable
        caption="Messages"
        rows={deliveries}
        keyOf={({ delivery_id: id }) => id}
        columns={[
          { title: 'Receiver', isHeading: true, cell: ({ receiver }) => receiver },
          { title: 'State', cell: ({ state }) => <Status state={state} /> },
          { title: 'Attempts', align: 'right', cell: ({ attempts }) => formatNumber(attempts) },
          { title: 'Answer', cell: ({ last_error: error, last_status_code: code }) => error ?? code ?? '—' },
          { title: 'Written', cell: ({ created_at: at }) => <Time at={at} /> },
        ]}
      />
    </Panel>
  );
}
