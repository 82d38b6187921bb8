import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  align?: 'left' | 'right';
  /** The column that names the row. */
  isHeading?: boolean;
}

/** Rows under headings. It scrolls by itself where the window is too narrow, also by the keyboard. */
export function DataTable<Row>({
  caption,
  columns,
  rows,
  keyOf,
}: {
  /** For readers of the screen: what the table shows. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row, index: number) => string;
}) {
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={caption}>
      <Table verticalSpacing={8} horizontalSpacing="sm" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {columns.map((column) => (
              <Table.Th key={column.title} ta={column.align} scope="col">
                {column.title}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, index) => (
            <Table.Tr key={keyOf(row, index)}>
              {columns.map((column) =>
                column.isHeading ? (
                  <Table.Th key={column.title} scope="row" fw={500} ta={column.align}>
                    {column.cell(row)}
                  </Table.Th>
                ) : (
                  <Table.Td key={column.title} ta={column.align} className={column.align === 'right' ? 'figure' : ''}>
                    {column.cell(row)}
                  </Table.Td>
                ),
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
