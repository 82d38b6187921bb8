import { once } from 'node:events';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { stringify } from 'csv-stringify/sync';
import type { Row, RowFormat } from './input-rows.js';

/** An answered row: a prediction, or its own error. */
export interface AnsweredRow {
  at: number;
  answer: Row;
}

/** Writes answers as they come. A file appears under its name when it is complete. */
export interface RowWriter {
  write(rows: readonly AnsweredRow[]): Promise<void>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

/** @param path - for the standard output */
export function openOutput(path: string, format: RowFormat): RowWriter {
  const isFile = path !== '-';
  const written = `${path}.${process.pid}.part`;
  const out: Writable = isFile ? createWriteStream(written) : process.stdout;
  const render = format === 'csv' ? csvRenderer() : format === 'json' ? jsonRenderer() : ndjsonRenderer();
  const put = async (text: string) => {
    if (text !== '' && !out.write(text)) await once(out, 'drain');
  };
  return {
    write: (rows) => put(render.rows(rows)),
    async close() {
      await put(render.end());
      if (!isFile) return;
      out.end();
      await once(out, 'close');
      renameSync(written, path);
    },
    async abandon() {
      if (!isFile) return;
      // It may still be being opened, and would appear after it was removed.
      await new Promise((closed) => out.once('close', closed).destroy());
      rmSync(written, { force: true });
    },
  };
}

interface Renderer {
  rows(rows: readonly AnsweredRow[]): string;
  end(): string;
}

const lineOf = ({ at, answer }: AnsweredRow): Row => ({ row: at, ...answer });

const ndjsonRenderer = (): Renderer => ({
  rows: (rows) => rows.map((row) => `${JSON.stringify(lineOf(row))}\n`).join(''),
  end: () => '',
});

function jsonRenderer(): Renderer {
  let isFirst = true;
  return {
    rows(rows) {
      const text = rows.map((row) => `  ${JSON.stringify(lineOf(row))}`).join(',\n');
      const before = isFirst ? '[\n' : ',\n';
      if (rows.length > 0) isFirst = false;
      return rows.length > 0 ? before + text : '';
    },
    end: () => (isFirst ? '[]\n' : '\n]\n'),
  };
}

/** `row, prediction_id, model_version`, a column an answer, a column a confidence, `error`. */
export function flatRow({ at, answer }: AnsweredRow): Row {
  const error = answer['error'] as { detail?: string; errors?: { path: string; message: string }[] } | undefined;
  const problems = (error?.errors ?? []).map(({ path, message }) => `${path}: ${message}`);
  const parts = (name: string, prefix: string) =>
    Object.entries((answer[name] ?? {}) as Row).map(([head, value]) => [prefix + head, plainCell(value)]);
  return {
    row: at,
    prediction_id: answer['prediction_id'] ?? '',
    model_version: answer['model_version'] ?? '',
    ...Object.fromEntries([...parts('predictions', ''), ...parts('confidence_scores', 'confidence_')]),
    error: error ? [error.detail, ...problems].filter(Boolean).join(' ') : '',
  };
}

const plainCell = (value: unknown) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value);

/** The columns are those of the first row that was answered: rows before it wait. */
function csvRenderer(): Renderer {
  let columns: string[] | undefined;
  let waiting: Row[] = [];
  const render = (rows: readonly Row[], header: boolean) => stringify(rows as Row[], { columns: columns!, header });
  return {
    rows(rows) {
      const flat = rows.map(flatRow);
      if (columns) return render(flat, false);
      waiting.push(...flat);
      const answered = waiting.find((row) => row['error'] === '');
      if (!answered) return '';
      columns = Object.keys(answered);
      const all = waiting;
      waiting = [];
      return render(all, true);
    },
    end() {
      if (columns) return '';
      columns = ['row', 'error'];
      return render(waiting, true);
    },
  };
}
