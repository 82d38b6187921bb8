import { createHash } from 'node:crypto';
import { ServiceError } from '../../core/errors.js';
import type { DataFormat, HttpOptions, RawFormat } from '../../core/schemas/ingestion.js';
import { sliceRecords } from './slice-records.js';

/** What an answer may have, unpacked, that is read in memory. */
export const MOST_PAGE_BYTES = 64 * 2 ** 20;

/** One answer of an API, as rows. */
export interface Page {
  /** JSON has become NDJSON. */
  format: RawFormat;
  rows: Buffer;
  records: number;
  /** Of the rows. */
  digest: string;
  /** What the body has at a path such as `meta.next`. @returns undefined for nothing, null, false and the empty text */
  lookUp: (path: string) => string | undefined;
}

const unreadable = (message: string) => new ServiceError('source_unreadable', message);

/**
 * Reads one answer whole.
 * @throws ServiceError `source_unreadable` for more than 64 MiB, for what is no JSON, and for a path where there is no list
 */
export async function readPage(body: AsyncIterable<Buffer>, format: DataFormat, options: HttpOptions): Promise<Page> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MOST_PAGE_BYTES) throw unreadable(`A page has more than ${MOST_PAGE_BYTES / 2 ** 20} MiB.`);
    chunks.push(chunk);
  }
  return pageOf(Buffer.concat(chunks), format, options);
}

/** @throws ServiceError as above */
export function pageOf(body: Buffer, format: DataFormat, options: HttpOptions): Page {
  if (format === 'json') return jsonPage(body.toString('utf8'), options);
  if (format === 'parquet' || format === 'arrow')
    throw unreadable(`The pages are ${format}: only JSON, NDJSON and CSV have pages.`);
  const rows = body.length === 0 || body.at(-1) === 10 ? body : Buffer.concat([body, Buffer.from('\n')]);
  const lookUp = () => {
    throw unreadable(
      `The next page is looked for in the body, which is ${format}. Use the Link header, offset or page.`,
    );
  };
  const records = format === 'ndjson' ? countLines(rows) : Math.max(0, countCsvRows(rows) - 1);
  return { format, rows, records, digest: digest(rows), lookUp };
}

const digest = (rows: Buffer) => createHash('sha256').update(rows).digest('base64url');

function jsonPage(text: string, options: HttpOptions): Page {
  let parsed: unknown;
  let slices: string[];
  try {
    parsed = JSON.parse(text.replace(/^\ufeff/, ''));
    slices = sliceRecords(text, options.records);
  } catch (error) {
    // What the parser says quotes the body.
    const reason = error instanceof SyntaxError ? 'it is not valid JSON' : (error as Error).message;
    throw unreadable(`The source could not be read as json: ${reason}.`);
  }
  const rows = Buffer.from(slices.map((slice) => `${slice}\n`).join(''), 'utf8');
  return {
    format: 'ndjson',
    rows,
    records: slices.length,
    digest: digest(rows),
    lookUp: (path) => lookUpIn(parsed, path),
  };
}

function lookUpIn(value: unknown, path: string): string | undefined {
  let found = value;
  for (const step of path.split('.')) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  if (typeof found === 'number') return String(found);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

function countLines(rows: Buffer): number {
  let count = 0;
  for (let start = 0, end = rows.indexOf(10); end >= 0; start = end + 1, end = rows.indexOf(10, start))
    if (end > start && !(end === start + 1 && rows[start] === 13)) count++;
  return count;
}

/** Lines, less those within quotes. */
function countCsvRows(rows: Buffer): number {
  let count = 0;
  let isQuoted = false;
  let isEmpty = true;
  for (const byte of rows) {
    if (byte === 34) isQuoted = !isQuoted;
    if (byte === 10 && !isQuoted) {
      if (!isEmpty) count++;
      isEmpty = true;
    } else if (byte !== 13) isEmpty = false;
  }
  return count;
}
