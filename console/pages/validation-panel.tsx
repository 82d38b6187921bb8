import { Text } from '@mantine/core';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { formatName, formatNumber } from '../parts/format-number.js';
import { Loaded } from '../parts/loaded.js';
import { Panel } from '../parts/panel.js';
import { Status } from '../parts/status.js';
import { client } from '../service/client.js';
import { ConfirmButton } from '../parts/confirm-button.js';
import { useMay } from '../service/use-caller.js';
import { useRead } from '../service/use-read.js';

/** What the dataset was held to, and how it did. */
export function ValidationPanel({ datasetId }: { datasetId: string }) {
  const newest = useRead('/data/validations', { query: { dataset_id: datasetId, limit: 1 } });
  const id = newest.data?.items[0]?.report_id;
  const report = useRead(
    '/data/validations/{report_id}',
    { path: { report_id: id ?? '' } },
    { enabled: id !== undefined },
  );
  const mayValidate = useMay('engineer');
  return (
    <Panel
      title="Validation"
      actions={
        mayValidate && (
          <ConfirmButton
            label="Validate now"
            size="xs"
            question="Hold the dataset to its expectations?"
            send={() => client.post('/data/validate', { body: { dataset_id: datasetId } })}
          >
            Those of models/data-types.yaml where it has any, and otherwise what the columns themselves suggest.
          </ConfirmButton>
        )
      }
    >
      {newest.data?.items.length === 0 ? (
        <EmptyState title="It was not validated yet" />
      ) : (
        <Loaded of={id === undefined && newest.error ? (newest as typeof report) : report}>
          {({ passed, rows, failing_rows: failing, checks, note }) => (
            <>
              <Text component="div" fw={600}>
                <Status state={passed ? 'passed' : 'failed'} />
              </Text>
              <Text size="sm" c="dimmed" mb="sm">
                {formatNumber(rows)} rows, {formatNumber(failing)} of them fail a check. {note}
              </Text>
              <DataTable
                caption="Checks"
                rows={checks}
                keyOf={({ name }, index) => `${index} ${name}`}
                columns={[
                  { title: 'Check', isHeading: true, cell: ({ name }) => formatName(name) },
                  { title: 'State', cell: ({ status }) => <Status state={status} /> },
                  { title: 'Severity', cell: ({ severity }) => severity },
                  { title: 'Rows that fail', align: 'right', cell: ({ rows_failed: count }) => formatNumber(count) },
                  { title: 'What', cell: ({ message }) => message },
                ]}
              />
            </>
          )}
        </Loaded>
      )}
    </Panel>
  );
}
