import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryRows, quoteText, withDuckDb } from '../../../services/duckdb.js';
import { convertArrow } from '../../../services/sources/convert-arrow.js';
import type { FetchContext } from '../../../services/sources/connector.js';
import { readArrow } from '../../../services/serving/read-arrow.js';
import { snapshotFiles } from '../../support/snapshot-file.js';

/** What a bomb may make the process grow by; each claims far more. */
const MOST_GROWTH_BYTES = 600 * 2 ** 20;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlops-bombs-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function withoutGrowth<T>(work: () => Promise<T>): Promise<T> {
  const before = process.memoryUsage().rss;
  const result = await work();
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_GROWTH_BYTES);
  return result;
}

/** A zstd frame of blocks that each repeat one byte 128 KiB times: four bytes in, 131072 out. */
function zstdBomb(mebibytes: number): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  const block = (isLast: boolean) => {
    const bytes = Buffer.alloc(4, 'a');
    bytes.writeUIntLE(((2 ** 17) << 3) | (1 << 1) | (isLast ? 1 : 0), 0, 3);
    return bytes;
  };
  const count = mebibytes * 8;
  return Buffer.concat([header, ...Array.from({ length: count }, (_, at) => block(at === count - 1))]);
}

/** A zip archive with one file that repeats one byte. */
function zipBomb(bytes: number): Buffer {
  const content = deflateRawSync(Buffer.alloc(bytes));
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(content.length, 18);
  local.writeUInt32LE(bytes, 22);
  return Buffer.concat([local, content]);
}

async function parquet(): Promise<Buffer> {
  const { keep } = { keep: mkdtempSync(join(folder, 'parquet-')) };
  const path = join(keep, 'good.parquet');
  await withDuckDb((connection) =>
    queryRows(
      connection,
      `COPY (SELECT i AS id, i * 2 AS n FROM range(1000) t(i)) TO ${quoteText(path)} (FORMAT parquet)`,
    ),
  );
  const file = await open(path);
  const bytes = await file.readFile();
  await file.close();
  return bytes;
}

describe('a source that claims or unpacks to more than it is', () => {
  it('as zstd is refused while it is unpacked', async () => {
    const bomb = zstdBomb(64);
    expect(bomb.length).toBeLessThan(20_000);
    await withoutGrowth(() =>
      expect(snapshotFiles({ 't.csv.zst': bomb }, { mostBytes: 2 ** 23 })).rejects.toMatchObject({
        code: 'source_unreadable',
      }),
    );
  });

  it('as a zip archive is no table: archives are not unpacked at all', async () => {
    const archive = zipBomb(64 * 2 ** 20);
    await withoutGrowth(async () => {
      const outcome = await snapshotFiles({ 't.csv': archive }).catch((error: Error) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'ServiceError' });
      else expect(outcome.manifest.rows).toBeLessThanOrEqual(1);
    });
  });

  it.each([0, 1, 2 ** 20, 2 ** 31 - 1, 2 ** 32 - 1])(
    'as Parquet whose footer says that it has %i bytes is refused',
    async (length) => {
      const bytes = Buffer.from(await parquet());
      bytes.writeUInt32LE(length, bytes.length - 8);
      await withoutGrowth(() =>
        expect(snapshotFiles({ 't.parquet': bytes })).rejects.toMatchObject({ name: 'ServiceError' }),
      );
    },
  );

  it(
    'as Parquet that is damaged anywhere is read or refused, and never ends the process',
    { timeout: 300_000 },
    async () => {
      const whole = await parquet();
      for (let at = 4; at < whole.length; at += Math.ceil(whole.length / 8)) {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 0xff;
        const name = await snapshotFiles({ 't.parquet': bytes }).then(
          () => 'read',
          (error: Error) => error.name,
        );
        expect(['read', 'ServiceError'], `byte ${at}`).toContain(name);
      }
    },
  );

  it('as Arrow is read within its own length, whatever its messages say of theirs', { timeout: 300_000 }, async () => {
    const whole = Buffer.from(
      tableToIPC(tableFromArrays({ n: Float64Array.from({ length: 100 }, (_, at) => at) }), 'stream'),
    );
    const context = {
      folder,
      attempt: '1',
      signal: new AbortController().signal,
      config: { sources: { maxBytes: 2 ** 30 } },
    } as FetchContext;
    // Every word, as a length or a place, at its most.
    for (let at = 0; at + 8 <= whole.length - 800; at += 4)
      for (const claim of [0x7fffffff, 0x40000000]) {
        const bytes = Buffer.from(whole);
        bytes.writeUInt32LE(claim, at);
        const path = join(folder, 'claim.arrow');
        writeFileSync(path, bytes);
        const handle = await open(path);
        const outcome = await convertArrow(handle, 'none', context).catch((error: Error) => error);
        await handle.close();
        if (outcome instanceof Error)
          expect(outcome, `word ${at}: ${outcome.stack}`).toMatchObject({ code: 'source_unreadable' });
        else expect(outcome.bytes).toBeLessThan(100_000);
        // The same bytes as the body of a batch of predictions.
        try {
          expect(readArrow(bytes).rows).toBeLessThan(1000);
        } catch (error) {
          expect(error, `word ${at}`).toMatchObject({ name: 'ServiceError' });
        }
      }
  });
});
