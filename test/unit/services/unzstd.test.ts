import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { quoteText, withDuckDb } from '../../../services/duckdb.js';
import { createUnzstd } from '../../../services/datasets/unzstd.js';

/** Made by the `zstd` program: one frame with a checksum, one without. */
const CHECKED = Buffer.from('28b52ffd045895000060612c620a312c780a322c790a0100398117efbd725b', 'hex');
const CHECKED_TEXT = `a,b\n1,x\n2,${'y'.repeat(53)}\n`;
const UNCHECKED = Buffer.from('28b52ffd0058210000332c7a0a', 'hex');
const UNCHECKED_TEXT = '3,z\n';
/** A frame that has no content for us. */
const SKIPPABLE = Buffer.from('5a2a4d1803000000616263', 'hex');

async function unpack(file: Buffer, chunkBytes = file.length): Promise<string> {
  const chunks = [];
  for (let at = 0; at < file.length; at += chunkBytes) chunks.push(file.subarray(at, at + chunkBytes));
  const stream = await createUnzstd();
  return (await buffer(Readable.from(chunks).compose(stream))).toString('latin1');
}

/** A frame that states a window of 2^`exponent` bytes, with one raw block. */
function frameOfWindow(exponent: number): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3, 0x09, 0, 0, 0x61]);
}

describe('a file packed with zstd', () => {
  it('may have frames after each other, with and without checksums, and frames to skip', async () => {
    expect(await unpack(CHECKED)).toBe(CHECKED_TEXT);
    expect(await unpack(UNCHECKED)).toBe(UNCHECKED_TEXT);
    const both = Buffer.concat([SKIPPABLE, CHECKED, SKIPPABLE, SKIPPABLE, UNCHECKED, CHECKED, SKIPPABLE]);
    for (const chunkBytes of [1, 2, 3, 7, 50, both.length])
      expect(await unpack(both, chunkBytes)).toBe(CHECKED_TEXT + UNCHECKED_TEXT + CHECKED_TEXT);
  });

  it('is not taken for what it is not, wherever it is damaged or cut off', async () => {
    for (let at = 0; at < CHECKED.length; at++) {
      for (const bit of [1, 16, 128]) {
        const damaged = Buffer.from(CHECKED);
        damaged[at]! ^= bit;
        const text = await unpack(damaged).catch((error: unknown) => error);
        if (!(text instanceof Error)) expect(text).toBe(CHECKED_TEXT);
      }
      if (at > 0) await expect(unpack(CHECKED.subarray(0, at))).rejects.toThrow('unexpected end');
    }
    await expect(unpack(Buffer.concat([CHECKED, Buffer.from('more')]))).rejects.toThrow('invalid zstd data');
  });

  it('is refused where it asks for more memory than zstd grants unasked', async () => {
    expect(await unpack(frameOfWindow(27))).toBe('a');
    await expect(unpack(frameOfWindow(31))).rejects.toThrow('a window of 2048 MiB');
  });

  it('of many blocks, as DuckDB writes it, has every byte', async () => {
    const path = join(tmpdir(), `mlops-unzstd-${process.pid}.csv.zst`);
    const rows = 60_000;
    try {
      await withDuckDb((connection) =>
        connection.run(
          `COPY (SELECT i, hash(i) AS h FROM range(${rows}) t(i)) TO ${quoteText(path)} (FORMAT csv, HEADER false, COMPRESSION zstd)`,
        ),
      );
      const lines = (await unpack(await readFile(path), 65_536)).split('\n');
      expect(lines.length).toBe(rows + 1);
      expect(lines[rows - 1]).toMatch(new RegExp(`^${rows - 1},\\d+$`));
    } finally {
      await rm(path, { force: true });
    }
  });
});
