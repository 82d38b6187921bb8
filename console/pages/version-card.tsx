import { List, Stack, Text } from '@mantine/core';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { Facts } from '../parts/facts.js';
import { formatValue } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { client } from '../service/client.js';
import type { Version } from '../service/shapes.js';
import { useMay } from '../service/use-caller.js';
import { useRead } from '../service/use-read.js';

/** What the version is for, where its limits are, who agreed, and what became of it. */
export default function VersionCard({ version: { model, version } }: { version: Version }) {
  const path = { model, version };
  const card = useRead('/models/{model}/versions/{version}/card', { path });
  const mayDecide = useMay('operator');
  return (
    <Loaded of={card} lines={8}>
      {({ summary, limits, intended_use: use, approvals, notes, history, tags }) => (
        <Stack gap="lg">
          <Panel title="In short">
            <List spacing={6}>
              {summary.map((line) => (
                <List.Item key={line}>{line}</List.Item>
              ))}
            </List>
          </Panel>
          <Panel title="What it is for">
            <Facts
              items={[
                ...Object.entries(use as Record<string, unknown>)
                  .filter(([, value]) => typeof value === 'string')
                  .map(([name, value]) => [name, formatValue(value)] as const),
                ...Object.entries(tags),
              ]}
            />
          </Panel>
          {limits.length > 0 && (
            <Panel title="Its limits">
              <List spacing={6}>
                {limits.map((line) => (
                  <List.Item key={line}>{line}</List.Item>
                ))}
              </List>
            </Panel>
          )}
          <Panel
            title="Approvals"
            note={
              approvals.required
                ? `${approvals.required.count} of the role ${approvals.required.role} must approve; ${approvals.missing} missing`
                : 'None is asked for'
            }
            actions={
              mayDecide && (
                <>
                  <ConfirmButton
                    label="Approve"
                    size="xs"
                    question={`Approve ${model} ${version}?`}
                    takesNote
                    send={(note) =>
                      client.post('/models/{model}/versions/{version}/approvals', {
                        path,
                        body: { decision: 'approve', note },
                      })
                    }
                  />
                  <ConfirmButton
                    label="Reject"
                    size="xs"
                    question={`Reject ${model} ${version}?`}
                    takesNote
                    isDanger
                    send={(note) =>
                      client.post('/models/{model}/versions/{version}/approvals', {
                        path,
                        body: { decision: 'reject', note },
                      })
                    }
                  />
                </>
              )
            }
          >
            {approvals.decisions.length === 0 ? (
              <EmptyState title="Nobody has decided yet" />
            ) : (
              <DataTable
                caption="Decisions"
                rows={approvals.decisions}
                keyOf={({ at, by }) => at + by}
                columns={[
                  { title: 'By', isHeading: true, cell: ({ by }) => by },
                  {
                    title: 'Decision',
                    cell: ({ decision }) => <Status state={decision} tone={decision === 'approve' ? 'good' : 'bad'} />,
                  },
                  { title: 'Note', cell: ({ note }) => note ?? '—' },
                  { title: 'When', cell: ({ at }) => <Time at={at} /> },
                ]}
              />
            )}
          </Panel>
          {notes.length > 0 && (
            <Panel title="Notes">
              {notes.map(({ note_id: id, text, by, at }) => (
                <Text key={id} size="sm">
                  {text} ({by}, <Time at={at} />)
                </Text>
              ))}
            </Panel>
          )}
          <Panel title="What became of it">
            <DataTable
              caption="States of the version"
              rows={history}
              keyOf={({ event_id: id }) => id}
              columns={[
                { title: 'State', isHeading: true, cell: ({ to }) => <Status state={to} /> },
                { title: 'Reason', cell: ({ reason }) => reason ?? '—' },
                { title: 'By', cell: ({ by }) => by },
                { title: 'When', cell: ({ at }) => <Time at={at} /> },
              ]}
            />
          </Panel>
        </Stack>
      )}
    </Loaded>
  );
}
