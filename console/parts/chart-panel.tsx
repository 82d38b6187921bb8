import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { DataTable } from './data-table.js';
import { formatName, formatValue } from './format-number.js';
import { Panel } from './panel.js';

export type ChartRow = Record<string, unknown>;

/** A chart whose figures can be read as a table and taken away as a CSV file. */
export function ChartPanel({
  title,
  note,
  rows,
  actions,
  children,
}: {
  title: string;
  note?: ReactNode;
  /** The figures that the chart shows, all with the same names. */
  rows: readonly ChartRow[];
  actions?: ReactNode;
  children: ReactNode;
}) {
  const [isTable, setIsTable] = useState(false);
  const names = Object.keys(rows[0] ?? {});
  return (
    <Panel
      title={title}
      note={note}
      actions={
        <>
          {actions}
          <Button size="compact-xs" variant="default" aria-pressed={isTable} onClick={() => setIsTable(!isTable)}>
            {isTable ? 'Chart' : 'Table'}
          </Button>
          <Button
            size="compact-xs"
            variant="default"
            onClick={() =>
              downloadFile(`${title.replaceAll(/\W+/g, '-').toLowerCase()}.csv`, 'text/csv', toCsv(names, rows))
            }
          >
            CSV
          </Button>
        </>
      }
    >
      {isTable ? (
        <div className="chart-table">
          <DataTable
            caption={`Figures of ${title}`}
            columns={names.map((name) => ({
              title: formatName(name),
              cell: (row: ChartRow) => formatValue(row[name]),
            }))}
            rows={rows}
            keyOf={(_, index) => String(index)}
          />
        </div>
      ) : (
        children
      )}
    </Panel>
  );
}

/** RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe. */
export function toCsv(names: readonly string[], rows: readonly ChartRow[]): string {
  const cell = (value: unknown) => {
    if (typeof value === 'number') return String(value);
    const plain =
      value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    const text = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [names.map(cell), ...rows.map((row) => names.map((name) => cell(row[name])))]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');
}

export function downloadFile(name: string, type: string, content: BlobPart): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
