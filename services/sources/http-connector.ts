import { createWriteStream } from 'node:fs';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../core/errors.js';
import type { DataFormat, HttpOptions } from '../../core/schemas/ingestion.js';
import { hostOf } from '../network/find-address.js';
import { checkUrl } from '../network/open-url.js';
import { writeStaged } from '../storage/staged-file.js';
import { PoliteClient, type Answer } from './ask-politely.js';
import type { Compression, Connector, FetchContext, FetchedPart, SourceContext, SourceRequest } from './connector.js';
import { convertArrow } from './convert-arrow.js';
import { fetchPages } from './fetch-pages.js';
import { COMPRESSION_ENDINGS, formatOfName } from './format-of-name.js';
import { firstPageUrl } from './next-page.js';
import { MOST_PAGE_BYTES, pageOf } from './read-page.js';
import { readSecret } from './read-secret.js';
import { parseSourceUrl, sourceLabel, unsealSource } from './seal-source.js';

/** By the media type of the answer, without its parameters. */
const FORMAT_OF_TYPE: Record<string, DataFormat> = {
  'application/json': 'json',
  'text/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'text/csv': 'csv',
  'application/csv': 'csv',
  'text/tab-separated-values': 'tsv',
  'application/vnd.apache.parquet': 'parquet',
  'application/vnd.apache.arrow.stream': 'arrow',
  'application/vnd.apache.arrow.file': 'arrow',
};

const PLAIN: HttpOptions = { header: 'authorization', prefix: 'Bearer' };

/** An HTTP API or a file on a web server. */
export const httpConnector: Connector = {
  title: 'https:// sources',
  options: ['format', 'http'],

  async check(request, context) {
    const url = await openHttpUrl(request, context);
    const { secretsFile, allowedHosts } = context.config.sources;
    checkUrl(url, allowedHosts);
    const secret = request.options.http?.secret;
    if (secret) await readSecret(secretsFile, secret, hostOf(url));
    return sourceLabel(url.href);
  },

  // How many pages there are is known at the last one, so they are one part, which remembers them.
  async plan(request, context) {
    return { parts: [{ id: '0000001-http', label: await this.check(request, context), read: {} }] };
  },

  async fetch(request, part, context) {
    const start = await openHttpUrl(request, context);
    const { http } = request.options;
    const client = new PoliteClient(start, http, context.config.sources, context.signal);
    const formatOf = (answer: Answer) => formatOfAnswer(answer, request.options.format).format;
    if (http?.paging) return fetchPages({ client, start, options: http, formatOf }, part.id, context);
    return fetchWhole(client, start, request, context);
  },
};

async function openHttpUrl({ source }: SourceRequest, { database }: SourceContext): Promise<URL> {
  const url = parseSourceUrl(await unsealSource(database, source));
  url.hash = '';
  return url;
}

function formatOfAnswer(
  { headers, url }: Answer,
  wanted: DataFormat | undefined,
): { format: DataFormat; compression: Compression } {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  const told = type.endsWith('+json') ? 'json' : Object.hasOwn(FORMAT_OF_TYPE, type) ? FORMAT_OF_TYPE[type] : undefined;
  // A packed file is what its name says, whatever the server calls it.
  if (/\.(gz|zst)$/i.test(url.pathname) || told === undefined) return formatOfName(url.pathname, wanted);
  return { format: wanted ?? told, compression: 'none' };
}

/** One answer, straight to disk; JSON of a size that fits into memory becomes NDJSON. */
async function fetchWhole(
  client: PoliteClient,
  start: URL,
  { options }: SourceRequest,
  context: FetchContext,
): Promise<FetchedPart> {
  const file = join(context.folder, `${context.attempt}-http`);
  const answer = await client.get(firstPageUrl(start, options.http ?? PLAIN), async ({ headers }, body) => {
    await pipeline(limited(body, Number(headers['content-length']), context), createWriteStream(file, { flush: true }));
  });
  const { format, compression } = formatOfAnswer(answer, options.format);
  if (format === 'arrow') {
    const handle = await open(file, 'r');
    try {
      return await convertArrow(handle, compression, context);
    } finally {
      await handle.close();
    }
  }
  const { size } = await stat(file);
  if (format !== 'json' || compression !== 'none' || size > MOST_PAGE_BYTES) {
    const path = `${file}.${format}${COMPRESSION_ENDINGS[compression]}`;
    await rename(file, path);
    return { path, format, compression, bytes: size };
  }
  const { rows } = pageOf(await readFile(file), format, options.http ?? PLAIN);
  await writeStaged(`${file}.ndjson`, rows);
  return { path: `${file}.ndjson`, format: 'ndjson', compression: 'none', bytes: rows.length };
}

/** @param expected bytes, packed; not a number where the server does not say */
async function* limited(body: AsyncIterable<Buffer>, expected: number, { config, onProgress }: FetchContext) {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > config.sources.maxBytes)
      throw new ServiceError('source_unreadable', 'The source is larger than SOURCE_MAX_MB allows.');
    if (expected > 0) onProgress(Math.min(1, bytes / expected));
    yield chunk;
  }
}
