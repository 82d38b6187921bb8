import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../core/errors.js';
import type { DataFormat, HttpOptions, RawFormat } from '../../core/schemas/ingestion.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import type { Answer, PoliteClient } from './ask-politely.js';
import type { FetchContext, FetchedPart } from './connector.js';
import { firstPageUrl, nextPageUrl } from './next-page.js';
import { MOST_PAGE_BYTES, readPage } from './read-page.js';

const MOST_PAGES = 100_000;

/** What is known of a page once its rows lie on disk. */
interface PageMark {
  format: RawFormat;
  bytes: number;
  records: number;
  digest: string;
  /** The address of the page after it; none after the last. */
  next: string | null;
}

export interface PagedSource {
  client: PoliteClient;
  start: URL;
  options: HttpOptions;
  formatOf: (answer: Answer) => DataFormat;
}

const unreadable = (message: string) => new ServiceError('source_unreadable', message);

/**
 * Reads a paged API to its end into one file. Each page is written down with the address of the next one, so that a later attempt goes on at
 * the page that failed, in whatever process.
 * @throws ServiceError `source_unreadable` for pages that go in a circle, are too large or too many, or hold no records
 */
export async function fetchPages(source: PagedSource, partId: string, context: FetchContext): Promise<FetchedPart> {
  const folder = join(context.folder, `${partId}-pages`);
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  const seen = new Set<string>();
  const sum = { bytes: 0, records: 0 };
  let format: RawFormat | undefined;
  for (let next: string | null = firstPageUrl(source.start, source.options).href; next !== null;) {
    const file = join(folder, String(files.length).padStart(7, '0'));
    const page: PageMark = (await readMark(file)) ?? (await writePage(source, new URL(next), file, sum.records));
    if (page.records > 0 && seen.has(page.digest))
      throw unreadable(`The pages of the source go in a circle: page ${files.length + 1} was there before.`);
    if (format !== undefined && page.format !== format) throw unreadable('The pages have different formats.');
    seen.add(page.digest);
    ({ format, next } = page);
    sum.bytes += page.bytes;
    sum.records += page.records;
    if (files.push(`${file}.rows`) > MOST_PAGES) throw unreadable(`The source has more than ${MOST_PAGES} pages.`);
    if (sum.bytes > context.config.sources.maxBytes)
      throw unreadable('The source is larger than SOURCE_MAX_MB allows.');
    // Nobody knows how many are to come.
    context.onProgress(1 - 1 / (1 + files.length / 10));
  }
  return joinPages(files, format!, context);
}

async function readMark(file: string): Promise<PageMark | undefined> {
  const done = await readStaged(`${file}.json`);
  return done ? (JSON.parse(done.toString('utf8')) as PageMark) : undefined;
}

/** The rows first, then the mark: a page without one is read again. */
async function writePage(source: PagedSource, url: URL, file: string, before: number): Promise<PageMark> {
  let mark: PageMark | undefined;
  await source.client.get(url, async (answer, body) => {
    const page = await readPage(body, source.formatOf(answer), source.options);
    const next = nextPageUrl(source.options, { url, page, answer, records: before + page.records });
    await writeStaged(`${file}.rows`, page.rows);
    mark = {
      format: page.format,
      bytes: page.rows.length,
      records: page.records,
      digest: page.digest,
      next: next?.href ?? null,
    };
  });
  await writeStaged(`${file}.json`, JSON.stringify(mark));
  return mark!;
}

/** One file of all pages; of CSV with the header of the first alone. */
async function joinPages(
  files: readonly string[],
  format: RawFormat,
  { folder, attempt, signal }: FetchContext,
): Promise<FetchedPart> {
  const path = join(folder, `${attempt}-pages.${format}`);
  const hasHeader = format === 'csv' || format === 'tsv';
  const pieces = async function* () {
    let header: string | undefined;
    for (const file of files) {
      let isStart = hasHeader;
      for await (const chunk of createReadStream(file, { highWaterMark: MOST_PAGE_BYTES }) as AsyncIterable<Buffer>) {
        const end = isStart ? chunk.indexOf(10) + 1 : 0;
        const own = chunk.subarray(0, end).toString('utf8').trimEnd();
        if (isStart && header !== undefined && own !== header) throw unreadable('The pages have different headers.');
        yield isStart && header !== undefined ? chunk.subarray(end) : chunk;
        if (isStart) header = own;
        isStart = false;
      }
    }
  };
  await pipeline(pieces, createWriteStream(path, { flush: true }), { signal });
  return { path, format, compression: 'none', bytes: (await stat(path)).size };
}
