import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { pathTo } from '../parts/app-link.js';
import type { RowValues } from '../parts/cells-of.js';
import { ChartPanel } from '../parts/chart-panel.js';
import { DataTable } from '../parts/data-table.js';
import { EmptyState } from '../parts/empty-state.js';
import { FormButton } from '../parts/form-button.js';
import { Loaded } from '../parts/loaded.js';
import { NextPage, OF_ROWS } from '../parts/next-page.js';
import { Panel } from '../parts/panel.js';
import { client, newKey } from '../service/client.js';
import { useMay } from '../service/use-caller.js';
import { useFilter } from '../service/use-filter.js';
import { useRead } from '../service/use-read.js';
import { CorrectRowButton } from './correct-row-button.js';

/** Rules of a correction, with what each asks for besides its column. */
const RULES: Record<string, { label: string; fields: readonly string[] }> = {
  cast_number: { label: 'make a number of it', fields: [] },
  trim: { label: 'take blanks off its ends', fields: [] },
  lower: { label: 'write it small', fields: [] },
  upper: { label: 'write it in capitals', fields: [] },
  set: { label: 'fill empty cells with', fields: ['value'] },
  replace: { label: 'replace', fields: ['find', 'with'] },
  cast_time: { label: 'read it as a time of the form', fields: ['format'] },
};
interface Correction {
  rule: string;
  column: string;
  [field: string]: string;
}

/** Rows that failed a check, and a way to correct them. */
export function QuarantinePanel({ datasetId, columns }: { datasetId: string; columns: readonly string[] }) {
  const [cursor] = useFilter('cursor');
  const rows = useRead('/data/datasets/{dataset_id}/quarantine', {
    path: { dataset_id: datasetId },
    query: { limit: 200, cursor },
  });
  const mayReplay = useMay('engineer');
  /** Corrections of single rows that wait for the replay. */
  const [corrected, setCorrected] = useState<ReadonlyMap<number, RowValues>>(new Map());
  const correct = (row: number, values: RowValues | undefined) => {
    const next = new Map(corrected);
    if (values) next.set(row, values);
    else next.delete(row);
    setCorrected(next);
  };
  return (
    <Loaded of={rows}>
      {({ items, next_cursor: next }) =>
        items.length === 0 ? (
          <Panel title="Quarantine">
            <EmptyState title="No row is in quarantine">Every row of the source passed its checks.</EmptyState>
          </Panel>
        ) : (
          <ChartPanel
            title="Quarantine"
            note="Rows of the source that failed a check; the good ones are in the dataset"
            rows={items.map(({ row_number: row, reasons, content }) => ({ row, reasons: reasons.join('; '), content }))}
            actions={mayReplay && <ReplayButton datasetId={datasetId} columns={columns} corrected={corrected} />}
          >
            <DataTable
              caption="Rows in quarantine"
              rows={items}
              keyOf={({ row_number: row }) => String(row)}
              columns={[
                { title: 'Row', isHeading: true, align: 'right', cell: ({ row_number: row }) => row },
                { title: 'Why', cell: ({ reasons }) => reasons.join('; ') },
                { title: 'Content', cell: ({ content }) => <code>{content}</code> },
                ...(mayReplay
                  ? [
                      {
                        title: 'Correction',
                        cell: ({ row_number: row, content }: (typeof items)[number]) => {
                          const values = corrected.get(row);
                          return (
                            <Group gap="xs" wrap="nowrap">
                              <CorrectRowButton
                                row={row}
                                columns={columns}
                                content={content}
                                values={values}
                                onChange={(changed) => correct(row, changed)}
                              />
                              {values && <code>{JSON.stringify(values)}</code>}
                            </Group>
                          );
                        },
                      },
                    ]
                  : []),
              ]}
            />
            <NextPage cursor={next} words={OF_ROWS} />
          </ChartPanel>
        )
      }
    </Loaded>
  );
}

function ReplayButton({
  datasetId,
  columns,
  corrected,
}: {
  datasetId: string;
  columns: readonly string[];
  corrected: ReadonlyMap<number, RowValues>;
}) {
  const [, navigate] = useLocation();
  const [rules, setRules] = useState<readonly Correction[]>([]);
  const change = (index: number, fields: Partial<Correction>) =>
    setRules(rules.map((rule, at) => (at === index ? ({ ...rule, ...fields } as Correction) : rule)));
  return (
    <FormButton
      label={corrected.size === 0 ? 'Correct and replay' : `Correct and replay (${corrected.size} by hand)`}
      size="compact-xs"
      title="Correct rows and check them again"
      submit="Replay"
      send={() =>
        client.post('/data/datasets/{dataset_id}/quarantine/replay', {
          path: { dataset_id: datasetId },
          body: { rules: rules.map(sentRule), rows: [...corrected].map(sentRow) } as never,
          idempotencyKey: newKey(),
        })
      }
      onDone={({ job_id: job }) => navigate(pathTo.job(job))}
    >
      <Text size="sm" c="dimmed">
        Makes a new dataset: the good rows, and those that are good now. Without corrections the rows are held to what
        the data type asks for today.
        {corrected.size > 0 && ` ${corrected.size} rows were corrected by hand; that is done after what you add here.`}
      </Text>
      <Stack gap="xs">
        {rules.map((rule, index) => (
          <Group key={index} align="flex-end" gap="xs">
            <Select
              label="Column"
              data={[...columns]}
              value={rule.column}
              searchable
              onChange={(column) => change(index, { column: column ?? '' })}
              w={180}
            />
            <Select
              label="Correction"
              data={Object.entries(RULES).map(([value, { label }]) => ({ value, label }))}
              value={rule.rule}
              allowDeselect={false}
              onChange={(name) => change(index, { rule: name ?? 'trim' })}
              w={200}
            />
            {RULES[rule.rule]?.fields.map((field) => (
              <TextInput
                key={field}
                label={field}
                value={rule[field] ?? ''}
                onChange={(event) => change(index, { [field]: event.currentTarget.value })}
                w={120}
              />
            ))}
            <Button variant="default" onClick={() => setRules(rules.filter((_, at) => at !== index))}>
              Remove
            </Button>
          </Group>
        ))}
        <div>
          <Button
            variant="default"
            size="xs"
            onClick={() => setRules([...rules, { rule: 'cast_number', column: columns[0] ?? '' }])}
          >
            Add a correction
          </Button>
        </div>
      </Stack>
    </FormButton>
  );
}

/** An empty text is an empty cell. */
const sentRow = ([row, values]: [number, RowValues]) => ({
  row_number: row,
  values: Object.fromEntries(Object.entries(values).map(([column, text]) => [column, text === '' ? null : text])),
});

/** Only what the rule asks for; a value that reads as a number is one. */
function sentRule(correction: Correction): Record<string, string | number> {
  const { rule, column } = correction;
  const fields = (RULES[rule]?.fields ?? []).map((name) => {
    const text = correction[name] ?? '';
    const isNumber = name === 'value' && text.trim() !== '' && Number.isFinite(Number(text));
    return [name, isNumber ? Number(text) : text] as const;
  });
  return { rule, column, ...Object.fromEntries(fields) };
}
