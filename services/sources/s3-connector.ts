import { createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, paginateListObjectsV2, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import picomatch from 'picomatch';
import { ServiceError } from '../../core/errors.js';
import type { Config } from '../config.js';
import { createS3Client } from '../network/s3-client.js';
import type { Connector, FetchContext, SourceRequest } from './connector.js';
import { convertArrow } from './convert-arrow.js';
import { isPattern, patternTest, refuseTooMany } from './find-files.js';
import { COMPRESSION_ENDINGS, formatOfName, oneFormat } from './format-of-name.js';
import { partId } from './part-id.js';
import { forbiddenSource } from './seal-source.js';

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** Times that the rest of an object is asked for after its connection broke. */
const MOST_TRIES = 5;
const LISTED = 1000;

interface S3Object {
  key: string;
  etag: string;
  bytes: number;
}

/** Objects of an S3-compatible store: one, all below a prefix that ends with `/`, or those that fit a pattern. */
export const s3Connector: Connector = {
  title: 's3:// sources',
  options: ['format'],

  async check(request, { config }) {
    const { bucket, key } = addressOf(request, config);
    if (!isPattern(key) && !key.endsWith('/')) formatOfName(key, request.options.format);
    return `s3://${bucket}/${key}`;
  },

  async plan(request, { config, signal }) {
    const { bucket, key } = addressOf(request, config);
    const objects = await withS3(config, (client) => listObjects(client, bucket, key, signal));
    if (objects.length === 0) throw unreadable(`The bucket ${bucket} has no object that fits "${key.slice(0, 200)}".`);
    oneFormat(
      objects.map((object) => object.key),
      request.options.format,
    );
    return {
      parts: objects.map(({ key: name, etag, bytes }, at) => ({
        id: partId(at, name),
        label: `s3://${bucket}/${name}`,
        read: { key: name, etag },
        bytes,
      })),
    };
  },

  async fetch(request, part, context) {
    const { bucket } = addressOf(request, context.config);
    const key = String(part.read['key']);
    const object = { key, etag: String(part.read['etag']), bytes: part.bytes ?? 0 };
    const file = join(context.folder, `${context.attempt}-s3`);
    await withS3(context.config, (client) => download(client, bucket, object, file, context));
    const { format, compression } = formatOfName(key, request.options.format);
    if (format !== 'arrow') {
      const path = `${file}.${format}${COMPRESSION_ENDINGS[compression]}`;
      await rename(file, path);
      return { path, format, compression, bytes: object.bytes };
    }
    const handle = await open(file, 'r');
    try {
      return await convertArrow(handle, compression, context);
    } finally {
      await handle.close();
      await rm(file);
    }
  },
};

const unreadable = (message: string) => new ServiceError('source_unreadable', message);

const replaced = () => unreadable('An object of the source was replaced while it was read. Start again.');

/** The key is taken as it is written, without decoding. @throws ServiceError `source_forbidden` */
function addressOf({ source }: SourceRequest, { sources }: Config): { bucket: string; key: string } {
  const [, bucket, key] = /^s3:\/\/([^/]*)\/(.+)$/i.exec(source) ?? [];
  if (bucket === undefined || key === undefined || !BUCKET.test(bucket))
    throw forbiddenSource('The source needs a bucket and a key: s3://bucket/folder/file.csv.');
  if (!sources.s3.accessKeyId || !sources.s3.secretAccessKey)
    throw forbiddenSource('s3:// sources need S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, which an operator sets.');
  return { bucket, key };
}

async function withS3<T>({ sources: { s3 } }: Config, work: (client: S3Client) => Promise<T>): Promise<T> {
  const client = createS3Client(s3, MOST_TRIES);
  try {
    return await work(client);
  } catch (error) {
    throw asSourceError(error);
  } finally {
    client.destroy();
  }
}

/** What the store says by its name alone: its messages repeat keys and signatures. */
function asSourceError(error: unknown): unknown {
  if (!(error instanceof S3ServiceException)) return error;
  const status = error.$metadata.httpStatusCode ?? 500;
  if (status === 412) return replaced();
  if (status < 500 && status !== 429) return unreadable(`The store answered ${error.name} (${status}).`);
  return new Error(`The store answered ${error.name} (${status}).`);
}

async function listObjects(client: S3Client, bucket: string, key: string, signal: AbortSignal): Promise<S3Object[]> {
  const prefix = isPattern(key) ? picomatch.scan(key).base : key;
  const fits = isPattern(key) ? patternTest(key) : (name: string) => name === key || key.endsWith('/');
  const found: S3Object[] = [];
  const pages = paginateListObjectsV2(
    { client, pageSize: LISTED },
    { Bucket: bucket, Prefix: prefix },
    { abortSignal: signal },
  );
  for await (const { Contents: objects = [] } of pages) {
    for (const { Key: name, ETag: etag, Size: bytes = 0 } of objects)
      if (name !== undefined && etag !== undefined && bytes > 0 && fits(name)) found.push({ key: name, etag, bytes });
    refuseTooMany(found.length);
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Goes on where a connection broke; an object that was replaced meanwhile is told by its tag. */
async function download(
  client: S3Client,
  bucket: string,
  { key, etag, bytes }: S3Object,
  file: string,
  { signal, onProgress }: FetchContext,
): Promise<void> {
  let done = 0;
  for (let attempt = 1; done < bytes; attempt++) {
    const asked = { Bucket: bucket, Key: key, IfMatch: etag, ...(done > 0 ? { Range: `bytes=${done}-` } : {}) };
    try {
      const { Body: body, ETag: tag } = await client.send(new GetObjectCommand(asked), { abortSignal: signal });
      // Not every store looks at the condition.
      if (tag !== undefined && tag !== etag) throw replaced();
      const counted = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          yield chunk;
          onProgress(Math.min(1, (done += chunk.length) / bytes));
        }
      };
      await pipeline(body as Readable, counted, createWriteStream(file, { flags: done > 0 ? 'a' : 'w', flush: true }), {
        signal,
      });
    } catch (error) {
      const isFinal = error instanceof S3ServiceException || error instanceof ServiceError;
      if (signal.aborted || isFinal || attempt === MOST_TRIES) throw error;
      // What reached the file counts, not what was read.
      done = await stat(file).then(
        ({ size }) => size,
        () => 0,
      );
    }
    if (attempt === MOST_TRIES && done < bytes)
      throw new Error('The store ended an object too early, again and again.');
  }
}
