import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  NoSuchKey,
  paginateListObjectsV2,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { ServiceError } from '../../core/errors.js';
import { copyFromRest, streamsToRest, writingKeyId } from '../encryption/file-keys.js';
import { keyIdOfFile } from '../encryption/sealed-file.js';
import { createS3Client, type S3Settings } from '../network/s3-client.js';
import { inLanes } from './in-lanes.js';

/** An object as the store lists it. */
export interface StoredObject {
  /** Below the prefix that was asked for. */
  name: string;
  etag: string;
  bytes: number;
  modifiedMs: number;
}

const MOST_TRIES = 3;
const LANES = 8;
/** Says that a file was sealed for its way only, and lies open on the machines. */
const SEALED_FOR_THE_WAY = 'way';

/** One bucket of an S3-compatible store. Every call says `dependency_unavailable` while the store cannot be reached. */
export class ObjectStore {
  readonly #client: S3Client;

  constructor(
    s3: S3Settings,
    private readonly bucket: string,
  ) {
    this.#client = createS3Client(s3, MOST_TRIES);
  }

  /** All objects below a prefix, in the order of their names. */
  async list(prefix: string): Promise<StoredObject[]> {
    return this.#asking(async () => {
      const found: StoredObject[] = [];
      const pages = paginateListObjectsV2({ client: this.#client }, { Bucket: this.bucket, Prefix: prefix });
      for await (const { Contents: objects = [] } of pages)
        for (const { Key: key, ETag: etag, Size: bytes = 0, LastModified: modified } of objects)
          if (key !== undefined && etag !== undefined)
            found.push({ name: key.slice(prefix.length), etag, bytes, modifiedMs: modified?.getTime() ?? Date.now() });
      return found;
    });
  }

  /**
   * Writes an object to a file, which appears whole or not at all.
   * @returns its tag, or undefined where it has gone meanwhile
   */
  async get(key: string, file: string): Promise<string | undefined> {
    const partial = `${file}.${process.pid}.brought.partial`;
    try {
      return await this.#asking(async () => {
        const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
        await pipeline(answer.Body as Readable, createWriteStream(partial, { flush: true }));
        if (answer.Metadata?.['sealed'] === SEALED_FOR_THE_WAY) {
          await copyFromRest(partial, `${partial}.opened.partial`);
          await rename(`${partial}.opened.partial`, partial);
        }
        await rename(partial, file);
        return answer.ETag;
      });
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    } finally {
      await rm(partial, { force: true });
      await rm(`${partial}.opened.partial`, { force: true });
    }
  }

  /** Puts a file; where there are keys, nothing leaves this machine open. @returns the tag of the object */
  async put(file: string, key: string): Promise<string> {
    const isOpen = writingKeyId() !== undefined && (await keyIdOfFile(file)) === undefined;
    return this.#asking(async () => {
      const upload = new Upload({
        client: this.#client,
        params: {
          Bucket: this.bucket,
          Key: key,
          Body: isOpen ? sealedStream(file) : createReadStream(file),
          ...(isOpen ? { Metadata: { sealed: SEALED_FOR_THE_WAY } } : {}),
        },
      });
      return (await upload.done()).ETag!;
    });
  }

  async remove(keys: readonly string[]): Promise<void> {
    // One by one: how several are deleted at once differs between stores.
    await inLanes(LANES, keys, (key) =>
      this.#asking(() => this.#client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key }))),
    );
  }

  /** @throws ServiceError where the bucket cannot be used */
  async check(): Promise<void> {
    await this.#asking(() => this.#client.send(new HeadBucketCommand({ Bucket: this.bucket })));
  }

  async #asking<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#asUnavailable(error);
    }
  }

  /** What the store says by its name alone: its messages repeat keys and signatures. Errors of our own disk stay as they are. */
  #asUnavailable(error: unknown): unknown {
    if (error instanceof NoSuchKey || error instanceof ServiceError) return error;
    const { code, name, syscall } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && !NETWORK_CODES.includes(String(code))) return error;
    const said = error instanceof S3ServiceException ? `${name} (${error.$metadata.httpStatusCode})` : (code ?? name);
    return new ServiceError(
      'dependency_unavailable',
      `The bucket ${this.bucket} of the S3 store cannot be used: ${said}. Is the store up, and are S3_ENDPOINT, its keys and the bucket right?`,
    );
  }
}

const NETWORK_CODES = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH'];

function sealedStream(file: string): Readable {
  return streamsToRest().reduce<Readable>((before, sealing) => {
    before.on('error', (error) => sealing.destroy(error));
    return before.pipe(sealing);
  }, createReadStream(file));
}
