import type { FileHandle } from 'node:fs/promises';
import { ServiceError } from '../../core/errors.js';
import { createCsvFinder } from './find-record.js';
import { MOST_COLUMNS } from './slices.js';

/** The header and the first records are looked for in so many bytes. */
const HEAD_BYTES = 2 ** 20;
const DELIMITERS = [',', ';', '\t', '|'] as const;
const BYTE_ORDER_MARK = 3;

export interface CsvHeader {
  delimiter: string;
  /** One for each column, unique whatever their case. */
  names: string[];
  /** The first byte after the header. */
  dataFrom: number;
}

/**
 * Reads the header of a CSV file. Without a given delimiter it is the one that cuts the header and the first rows into the same
 * count of cells, the most cells if several do. An empty name becomes `column_3`; one that was there already gets a number behind it.
 * @returns undefined for a file without any line
 * @throws ServiceError `source_unreadable` when the header is no line of a table
 */
export async function readCsvHeader(
  file: FileHandle,
  bytes: number,
  given: string | undefined,
): Promise<CsvHeader | undefined> {
  const { head, from } = await readHead(file, bytes);
  const isLast = bytes <= HEAD_BYTES;
  const start = skipBlankLines(head, from);
  if (start >= head.length) return undefined;
  const delimiter = given ?? chooseDelimiter(head, start, isLast);
  const found = createCsvFinder(delimiter.charCodeAt(0))(head, start, isLast);
  if (!found || found.reason) {
    throw new ServiceError(
      'source_unreadable',
      `The first line cannot be read as the header of a table: ${found?.reason ?? `it is longer than ${HEAD_BYTES} bytes`}.`,
    );
  }
  const cells = cutRecord(head.subarray(start, found.to).toString('utf8'), delimiter);
  refuseTooManyColumns(cells.length);
  return { delimiter, names: uniqueNames(cells), dataFrom: found.to };
}

/** Where the text begins: behind a byte order mark. */
export async function textStart(file: FileHandle, bytes: number): Promise<number> {
  return (await readHead(file, bytes)).from;
}

async function readHead(file: FileHandle, bytes: number): Promise<{ head: Buffer; from: number }> {
  const head = Buffer.alloc(Math.min(bytes, HEAD_BYTES));
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const isMarked = bytesRead >= BYTE_ORDER_MARK && head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  return { head: head.subarray(0, bytesRead), from: isMarked ? BYTE_ORDER_MARK : 0 };
}

/** @throws ServiceError `source_unreadable` */
export function refuseTooManyColumns(columns: number): void {
  if (columns <= MOST_COLUMNS) return;
  throw new ServiceError(
    'source_unreadable',
    `The source has ${columns} columns; at most ${MOST_COLUMNS} can be stored. Turn columns into rows, or name those that are needed in options.columns of a smaller file.`,
  );
}

function skipBlankLines(head: Buffer, from: number): number {
  let at = from;
  while (at < head.length && (head[at] === 10 || head[at] === 13)) at++;
  return at;
}

/** The rows that are compared with the header. */
const ROWS_TO_COMPARE = 20;

function chooseDelimiter(head: Buffer, start: number, isLast: boolean): string {
  const candidates = DELIMITERS.map((delimiter) => {
    const counts = countCells(head, { start, isLast, delimiter });
    const alike = counts.filter((count) => count === counts[0]).length / counts.length;
    return { delimiter, cells: counts[0] ?? 1, alike };
  }).filter(({ cells }) => cells > 1);
  candidates.sort((a, b) => b.alike - a.alike || b.cells - a.cells);
  return candidates[0]?.delimiter ?? ',';
}

function countCells(
  head: Buffer,
  { start, isLast, delimiter }: { start: number; isLast: boolean; delimiter: string },
): number[] {
  const find = createCsvFinder(delimiter.charCodeAt(0));
  const counts: number[] = [];
  for (let at = start; at < head.length && counts.length <= ROWS_TO_COMPARE;) {
    const found = find(head, at, isLast);
    if (!found) break;
    if (!found.reason) counts.push(cutRecord(head.subarray(at, found.to).toString('utf8'), delimiter).length);
    at = found.to;
  }
  return counts;
}

/** The cells of one well-formed record. */
function cutRecord(record: string, delimiter: string): string[] {
  const text = record.replace(/\r?\n$/, '');
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      const quoted = /"((?:[^"]|"")*)"/y;
      quoted.lastIndex = at;
      const cell = quoted.exec(text)?.[1] ?? '';
      cells.push(cell.replaceAll('""', '"'));
      at = quoted.lastIndex;
    } else {
      const end = text.indexOf(delimiter, at);
      cells.push(text.slice(at, end < 0 ? text.length : end));
      at = end < 0 ? text.length : end;
    }
    if (text[at] !== delimiter) return cells;
    at++;
  }
}

/** Names as they can stand in one table: none is empty, and none is there twice, whatever the case. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((given, at) => {
    const name = given.replaceAll('\0', '\ufffd');
    const wanted = name.trim() === '' ? `column_${at + 1}` : name;
    let unique = wanted;
    for (let copy = 1; taken.has(unique.toLowerCase()); copy++) unique = `${wanted}_${copy}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}
