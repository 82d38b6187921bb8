import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber, formatValue } from '../parts/format-number.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage } from '../parts/next-page.js';
import { Page } from '../parts/page.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { Unavailable } from '../parts/unavailable.js';
import type { AuditEntry, ListOf } from '../service/shapes.js';
import { useFilter } from '../service/use-filter.js';
import { LIVE_MS, useReadIfThere } from '../service/use-read.js';

interface Verification {
  intact: boolean;
  entries: number;
  first_broken?: unknown;
}

export default function AuditPage() {
  const [cursor] = useFilter('cursor');
  const entries = useReadIfThere<ListOf<AuditEntry>>('/audit', { cursor, limit: 50 }, { everyMs: LIVE_MS });
  const chain = useReadIfThere<Verification>('/audit/verify');
  return (
    <Page
      title="Audit"
      lead="Who did what. Each entry holds the digest of the one before, so that a change of the past shows."
    >
      {chain.data && (
        <Panel title="The chain">
          <Status state={chain.data.intact ? 'intact' : 'broken'} /> {formatNumber(chain.data.entries)} entries
          {chain.data.intact ? '' : `, first broken at ${formatValue(chain.data.first_broken)}`}
        </Panel>
      )}
      <Loaded of={entries}>
        {(list) => {
          if (!list) return <Unavailable what="an audit log" />;
          if (list.items.length === 0) return <EmptyState title="Nothing was done yet" />;
          return (
            <>
              <DataTable
                caption="Entries, newest first"
                rows={list.items}
                keyOf={(_, index) => String(index)}
                columns={Object.keys(list.items[0] ?? {}).map((name) => ({
                  title: formatName(name),
                  cell: (entry: AuditEntry) => formatValue(entry[name]),
                }))}
              />
              <NextPage cursor={list.next_cursor} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
