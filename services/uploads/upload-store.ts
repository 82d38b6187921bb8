import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ServiceError } from '../../core/errors.js';
import type { DataFormat } from '../../core/schemas/ingestion.js';
import type { Config } from '../config.js';
import type { Database, Prisma } from '../database/database.js';
import { streamsToRest } from '../encryption/file-keys.js';
import type { Compression } from '../sources/connector.js';
import { COMPRESSION_ENDINGS } from '../sources/format-of-name.js';
import { syncPath } from '../storage/sync-path.js';
import { dropShared, sendFolder } from '../storage/shared-files.js';

const HOUR_MS = 3_600_000;

export interface UploadRequest {
  format: DataFormat;
  compression: Compression;
  /** SHA-256 that the content must have, in hex. */
  sha256?: string;
  /** Who sends it. */
  subject: string;
}

type UploadRow = Prisma.UploadGetPayload<object>;

export const uploadsFolder = (config: Config) => join(config.dataStoragePath, 'uploads');

/** Where the content of an upload lies; the name ends as its format and compression do. */
export function uploadPath(
  config: Config,
  { id, format, compression }: Pick<UploadRow, 'id' | 'format' | 'compression'>,
) {
  return join(uploadsFolder(config), `${id}.${format}${COMPRESSION_ENDINGS[compression as Compression]}`);
}

const answerOf = (row: UploadRow) => ({
  upload_id: row.id,
  source: `upload:${row.id}`,
  format: row.format,
  compression: row.compression,
  bytes: Number(row.bytes),
  sha256: row.digest,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt.toISOString(),
});

/** Keeps what callers send until it was ingested, or its time is over. An upload is named by its content: the same again is the same upload. */
export function createUploadStore({ prisma }: Database, config: Config) {
  /** The row and the file of an upload change together. */
  const locked = <T>(id: string, work: (transaction: Prisma.TransactionClient) => Promise<T>) =>
    prisma.$transaction(async (transaction) => {
      await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${id}, 0))`;
      return work(transaction);
    });

  async function keep(partial: string, { sha256, bytes }: Received, request: UploadRequest) {
    const { format, compression, subject } = request;
    const id = `upl_${createHash('sha256').update(`${sha256} ${format} ${compression}`).digest('hex').slice(0, 24)}`;
    const expiresAt = new Date(Date.now() + config.uploads.hours * HOUR_MS);
    return locked(id, async (transaction) => {
      const path = uploadPath(config, { id, format, compression });
      await rename(partial, path);
      await syncPath(uploadsFolder(config));
      await sendFolder(uploadsFolder(config), { only: (name) => name === basename(path) });
      const row = { id, format, compression, bytes: BigInt(bytes), digest: sha256, createdBy: subject, expiresAt };
      return answerOf(await transaction.upload.upsert({ where: { id }, create: row, update: { expiresAt } }));
    });
  }

  return {
    /**
     * Streams a body to the disk; memory does not grow with it.
     * @throws ServiceError `body_too_large` beyond UPLOAD_MAX_MB, `request_invalid` for an empty body and for another digest than the caller's
     */
    async receive(body: AsyncIterable<Uint8Array>, request: UploadRequest) {
      await mkdir(uploadsFolder(config), { recursive: true });
      const partial = join(uploadsFolder(config), `${randomUUID()}.partial`);
      try {
        const received = await receiveFile(body, partial, config.uploads.maxBytes);
        if (received.bytes === 0) throw invalid('body', 'is empty');
        if (request.sha256 !== undefined && request.sha256 !== received.sha256)
          throw invalid('sha256', `is not that of the body, which is ${received.sha256}`);
        return await keep(partial, received, request);
      } finally {
        await rm(partial, { force: true });
      }
    },

    /** @throws ServiceError `upload_not_found`, also for one whose time is over */
    async get(id: string) {
      return answerOf(await findUpload({ prisma }, id));
    },

    /** Removes uploads whose time is over, and what was cut off long ago. @returns how many uploads */
    async removeExpired(now: Date): Promise<number> {
      const expired = await prisma.upload.findMany({ where: { expiresAt: { lte: now } }, take: 1000 });
      for (const { id } of expired) {
        await locked(id, async (transaction) => {
          const row = await transaction.upload.findUnique({ where: { id } });
          if (!row || row.expiresAt > now) return;
          await dropShared(uploadPath(config, row));
          await transaction.upload.delete({ where: { id } });
        });
      }
      await removeLeftovers(config, now);
      return expired.length;
    },
  };
}

export type UploadStore = ReturnType<typeof createUploadStore>;

const invalid = (path: string, message: string) =>
  new ServiceError('request_invalid', `The upload is not possible: ${path} ${message}.`, [{ path, message }]);

/** @throws ServiceError `upload_not_found`, also for one whose time is over */
export async function findUpload({ prisma }: Pick<Database, 'prisma'>, id: string): Promise<UploadRow> {
  const row = await prisma.upload.findUnique({ where: { id } });
  if (row && row.expiresAt > new Date()) return row;
  throw new ServiceError(
    'upload_not_found',
    `There is no upload "${id.slice(0, 100)}", or its time is over. POST /data/uploads makes one.`,
    [{ path: 'source', message: 'names no upload that is kept: send it again' }],
  );
}

interface Received {
  sha256: string;
  bytes: number;
}

async function receiveFile(body: AsyncIterable<Uint8Array>, path: string, mostBytes: number): Promise<Received> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > mostBytes)
        throw new ServiceError(
          'body_too_large',
          `The upload is larger than the ${mostBytes / 2 ** 20} MiB of UPLOAD_MAX_MB.`,
        );
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline([Readable.from(counted()), ...streamsToRest(), createWriteStream(path, { flags: 'wx', flush: true })]);
  return { sha256: hash.digest('hex'), bytes };
}

/** Of uploads whose process ended in the middle. */
async function removeLeftovers(config: Config, now: Date): Promise<void> {
  const folder = uploadsFolder(config);
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.endsWith('.partial')) continue;
    const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Infinity }));
    if (now.getTime() - mtimeMs > 24 * HOUR_MS) await rm(join(folder, name), { force: true });
  }
}
