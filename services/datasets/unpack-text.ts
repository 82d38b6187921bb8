import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ServiceError } from '../../core/errors.js';
import type { Compression } from '../sources/connector.js';
import { createUnzstd } from './unzstd.js';

/** Text grows to a multiple when it is unpacked, a bomb to a thousandfold. */
const MOST_RATIO = 200;
/** What may be unpacked whatever the ratio. */
const FREE_BYTES = 256 * 2 ** 20;

interface UnpackInput {
  path: string;
  compression: Compression;
  /** Where the text goes when it has to be unpacked. */
  into: string;
  /** Bytes that it may have unpacked. */
  mostBytes: number;
  signal?: AbortSignal;
}

/**
 * Makes plain UTF-8 text of a file that is compressed or in UTF-16, streaming.
 * @returns the path of the text: the file itself when there is nothing to unpack
 * @throws ServiceError `source_unreadable` when it is damaged or cut off, or grows beyond all measure
 */
export async function unpackText({ path, compression, into, mostBytes, signal }: UnpackInput): Promise<string> {
  if (compression === 'none' && !(await isUtf16(path))) return path;
  const done = await stat(into).catch(() => undefined);
  if (done) return into;
  const partial = `${into}.${process.pid}.partial`;
  try {
    const packed = (await stat(path)).size;
    const unpacker =
      compression === 'gzip' ? createGunzip() : compression === 'zstd' ? await createUnzstd() : new PassThrough();
    await pipeline(
      createReadStream(path),
      unpacker,
      createLimit(Math.min(mostBytes, Math.max(FREE_BYTES, packed * MOST_RATIO)), packed),
      createTranscoder(),
      createWriteStream(partial, { flush: true }),
      { signal },
    );
    await rename(partial, into);
    return into;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof ServiceError || isOfTheDisk(error)) throw error;
    throw new ServiceError(
      'source_unreadable',
      `The source could not be unpacked (${compression}): ${(error as Error).message}.`,
    );
  } finally {
    await rm(partial, { force: true });
  }
}

const isOfTheDisk = (error: unknown) => /^(ENOSPC|EIO|ENOENT|EMFILE)$/.test(String((error as { code?: string }).code));

async function isUtf16(path: string): Promise<boolean> {
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && markOf(buffer) !== undefined;
  } finally {
    await handle.close();
  }
}

function markOf(start: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (start[0] === 0xff && start[1] === 0xfe) return 'utf-16le';
  return start[0] === 0xfe && start[1] === 0xff ? 'utf-16be' : undefined;
}

/** Text that begins with the mark of UTF-16 becomes UTF-8; all other passes as it is. */
function createTranscoder(): Transform {
  let decoder: InstanceType<typeof TextDecoder> | null | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (decoder === undefined) {
        const encoding = markOf(chunk);
        decoder = encoding ? new TextDecoder(encoding) : null;
      }
      done(null, decoder ? Buffer.from(decoder.decode(chunk, { stream: true })) : chunk);
    },
    flush(done) {
      done(null, decoder ? Buffer.from(decoder.decode()) : undefined);
    },
  });
}

function createLimit(mostBytes: number, packedBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= mostBytes) return done(null, chunk);
      done(
        new ServiceError(
          'source_unreadable',
          `The source has ${packedBytes} bytes and more than ${mostBytes} when it is unpacked: that is more than is read. Send it in smaller files, or with less compression.`,
        ),
      );
    },
  });
}
