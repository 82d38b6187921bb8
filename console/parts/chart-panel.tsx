import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { DataTable } from './data-table.js';
import { formatName, formatValue } from './format-number.js';
import { Panel } from './panel.js';
import { toCsv, type ChartRow } from './to-csv.js';

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

export function downloadFile(name: string, type: string, content: BlobPart): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
