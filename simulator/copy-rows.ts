import type pg from 'pg';
import type { Cell, ColumnType, SourceRow, SourceTable } from './source-tables.js';

/** The part of pg's connection that carries a COPY; it is there in `pg` but not in its types. */
interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
  sync(): void;
}

/** Adds rows to a table by `COPY ... FROM STDIN`, the fastest way in. All of them or none. */
export function copyRows(client: pg.Client, table: SourceTable, rows: readonly SourceRow[]): Promise<void> {
  const types = table.columns.map((column) => column.type);
  const text = Buffer.from(
    rows.map((row) => row.map((cell, i) => copyText(cell, types[i] ?? 'text')).join('\t') + '\n').join(''),
  );
  const sql = `COPY ${table.name} (${table.columns.map((column) => column.name).join(', ')}) FROM STDIN`;
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const submittable = {
      submit: (connection: CopyConnection) => connection.query(sql),
      handleCopyInResponse(connection: CopyConnection) {
        connection.sendCopyFromChunk(text);
        connection.endCopyFrom();
      },
      handleCommandComplete() {},
      handleError(error: Error) {
        failure = error;
        reject(error);
      },
      handleReadyForQuery() {
        if (failure === undefined) resolve();
      },
    };
    client.query(submittable as unknown as pg.Submittable);
  });
}

/** A cell in COPY's text format. */
function copyText(cell: Cell, type: ColumnType): string {
  if (cell === null) return '\\N';
  if (type === 'timestamp') return new Date(Number(cell)).toISOString();
  if (typeof cell === 'number') return String(cell);
  return cell.replace(
    /[\\\t\n\r]/g,
    (character) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[character] ?? character,
  );
}
