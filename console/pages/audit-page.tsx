import { Group, Select, Text } from '@mantine/core';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { Time } from '../parts/format-time.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import type { components } from '../service/client.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useRead } from '../service/use-read.js';
import { useModelChoice } from './model-choice.js';

type Entry = components['schemas']['AuditEntry'];
const KINDS = ['call', 'denied', 'change', 'decision', 'key_use'] as const;

export default function AuditPage() {
  const [cursor] = useFilter('cursor');
  const [chosen, setKind] = useFilter('kind');
  const { model, choice } = useModelChoice({ isOptional: true });
  const kind = KINDS.find((one) => one === chosen);
  const entries = useRead('/audit', { query: { kind, model, cursor, limit: 50 } }, { everyMs: LIVE_MS });
  return (
    <Page
      title="Audit"
      lead="Who did what. Each entry holds the hash of the one before, so that a change of the past shows."
    >
      <Chain />
      <Group>
        <Select
          label="Kind"
          placeholder="all"
          clearable
          data={KINDS.map((one) => ({ value: one, label: formatName(one) }))}
          value={kind ?? null}
          onChange={setKind}
          w={180}
        />
        {choice}
      </Group>
      <Loaded of={entries}>
        {(list) =>
          list.items.length === 0 ? (
            <EmptyState title="No such entry" />
          ) : (
            <>
              <DataTable
                caption="Entries, newest first"
                rows={list.items}
                keyOf={({ seq }) => String(seq)}
                columns={[
                  { title: 'No.', align: 'right', cell: ({ seq }) => seq },
                  { title: 'When', cell: ({ at }) => <Time at={at} /> },
                  { title: 'Who', cell: ({ subject, role }) => (role ? `${subject} (${role})` : subject) },
                  {
                    title: 'Did',
                    isHeading: true,
                    cell: ({ action, detail }) => (
                      <div className="told">
                        {action}
                        <Text size="sm" c="dimmed" lineClamp={2}>
                          {detailsOf(detail)}
                        </Text>
                      </div>
                    ),
                  },
                  { title: 'To', cell: ({ target }) => <div className="target">{target ?? '—'}</div> },
                  { title: 'Model', cell: ({ model: one }) => one ?? '—' },
                  { title: 'Came of it', cell: (entry) => <Outcome entry={entry} /> },
                ]}
              />
              <NextPage cursor={list.next_cursor} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Chain() {
  const chain = useRead('/audit/verify');
  return (
    <Panel title="The chain">
      <Loaded of={chain} lines={1}>
        {({ intact, entries, first_broken: broken }) => (
          <Group gap="sm">
            <Status state={intact ? 'intact' : 'broken'} />
            <span>
              {formatNumber(entries)} entries
              {broken && `, first broken at no. ${broken.seq}: ${broken.reason}`}
            </span>
          </Group>
        )}
      </Loaded>
    </Panel>
  );
}

/** Calls have a status; what the service wrote down of its own changes has none. */
function Outcome({ entry: { kind, status } }: { entry: Entry }) {
  if (status === null) return <Status state={kind} tone="plain" />;
  return (
    <Status state={kind === 'denied' ? `denied ${status}` : String(status)} tone={status < 400 ? 'good' : 'bad'} />
  );
}

/** One line of what else was written down. */
const detailsOf = (detail: Record<string, unknown>) =>
  Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${formatName(name)}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
