import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeFrame, readFrames, type Frame } from '../../../services/spool/frame.js';
import { SpoolShipper } from '../../../services/spool/ship-spool.js';
import { Spool } from '../../../services/spool/spool.js';

const logger = pino({ level: 'silent' });
const frame = (lines: string[], ms = 1): Frame => ({
  rows: lines.length,
  firstMs: ms,
  lastMs: ms,
  payload: Buffer.from(lines.map((line) => `${line}\n`).join('')),
});
const linesOf = (frames: readonly Frame[]) =>
  frames.flatMap(({ payload }) => payload.toString().split('\n').filter(Boolean));

let folder: string;
let lost: [number, string][];
const open = (mostBytes = 2 ** 30) =>
  new Spool({ folder, mostBytes, logger, onLost: (rows, reason) => lost.push([rows, reason]) });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spool-'));
  lost = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function drain(spool: Spool, mostBytes = 1000): Promise<string[]> {
  const lines: string[] = [];
  for (let batch = await spool.next(mostBytes); batch; batch = await spool.next(mostBytes)) {
    lines.push(...linesOf(batch.frames));
    batch.done();
  }
  return lines;
}

describe('frames', () => {
  const frames = fc.array(
    fc.array(
      fc.string().map((text) => JSON.stringify(text)),
      { minLength: 1, maxLength: 4 },
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  );

  it('are read back as they were written', () => {
    fc.assert(
      fc.property(frames, (rows) => {
        const bytes = Buffer.concat(rows.map((lines, at) => encodeFrame(frame(lines, at))));
        const read = readFrames(bytes, true);
        expect(linesOf(read.frames)).toEqual(rows.flat());
        expect(read).toMatchObject({ consumed: bytes.length, damaged: 0 });
      }),
    );
  });

  it('cost only themselves when any byte of them is changed', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (rows, where, change) => {
        const encoded = rows.map((lines, at) => encodeFrame(frame(lines, at)));
        const bytes = Buffer.concat(encoded);
        const at = where % bytes.length;
        bytes[at]! ^= change;
        let end = 0;
        const hit = encoded.findIndex((one) => (end += one.length) > at);
        expect(linesOf(readFrames(bytes, true).frames)).toEqual(rows.filter((_, index) => index !== hit).flat());
      }),
    );
  });

  it('that are cut off wait for their end, unless nothing follows', () => {
    const bytes = Buffer.concat([encodeFrame(frame(['1'])), encodeFrame(frame(['2']))]);
    const first = encodeFrame(frame(['1'])).length;
    for (let cut = first; cut < bytes.length; cut++) {
      const piece = bytes.subarray(0, cut);
      expect(readFrames(piece, false)).toMatchObject({ consumed: first, damaged: 0 });
      expect(readFrames(piece, true)).toMatchObject({ consumed: cut, damaged: cut - first });
    }
  });
});

describe('a spool', () => {
  it('gives rows out in order, and again as long as they have not arrived', async () => {
    const spool = open();
    for (let at = 0; at < 50; at++) spool.append(frame([`${at}`]));
    const before = await spool.next(200);
    expect(linesOf(before!.frames)[0]).toBe('0');
    expect(await drain(spool, 200)).toEqual(Array.from({ length: 50 }, (_, at) => `${at}`));
    expect(spool.isEmpty).toBe(true);
    expect(await spool.next(200)).toBeUndefined();
  });

  it('reads a frame that is bigger than it reads at once', async () => {
    const spool = open();
    const big = JSON.stringify('x'.repeat(50_000));
    spool.append(frame([big]));
    spool.append(frame(['1']));
    expect(await drain(spool, 10)).toEqual([big, '1']);
  });

  it('gives up the oldest file when it is full, and counts its rows', async () => {
    const spool = open(10 * 2 ** 20);
    const big = JSON.stringify('x'.repeat(2 ** 20));
    for (let at = 0; at < 20; at++) spool.append(frame([`"${at}"`, big]));
    const kept = (await drain(spool, 2 ** 21)).filter((line) => line !== big);
    const dropped = lost.reduce((sum, [rows]) => sum + rows, 0);
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBe(2 * (20 - kept.length));
    expect(kept.at(-1)).toBe('"19"');
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `"${20 - kept.length + at}"`));
  });

  it('counts rows that the disk does not take, and goes on', () => {
    const spool = open();
    rmSync(folder, { recursive: true, force: true });
    expect(spool.append(frame(['1', '2']))).toBe(false);
    expect(lost).toEqual([[2, 'the spool cannot be written']]);
  });

  it('takes over what an ended process has left, torn end and all, and leaves that of a living one', async () => {
    const host = encodeURIComponent((await import('node:os')).hostname());
    const ended = join(folder, `${host}~999999999~1`);
    const living = readdirSync(folder);
    const { mkdirSync } = await import('node:fs');
    mkdirSync(ended);
    const torn = encodeFrame(frame(['"torn"']));
    const bytes = Buffer.concat([encodeFrame(frame(['1', '2'])), torn.subarray(0, torn.length - 3)]);
    writeFileSync(join(ended, 'a.spool'), bytes);
    expect(living).toEqual([]);
    const spool = open();
    await spool.adopt();
    expect(spool.rows).toBe(2);
    expect(await drain(spool)).toEqual(['1', '2']);
    expect(readdirSync(folder)).not.toContain(`${host}~999999999~1`);
    // Its own files are its own: this process lives.
    spool.append(frame(['3']));
    const [own] = readdirSync(folder);
    const another = open();
    await another.adopt();
    expect(readdirSync(join(folder, own!))).toHaveLength(1);
    expect(readFileSync(join(folder, own!, readdirSync(join(folder, own!))[0]!)).length).toBeGreaterThan(0);
  });
});

describe('a shipper', () => {
  class RefusedError extends Error {}
  const shipper = (
    spool: Spool,
    write: (rows: string[]) => Promise<void>,
    told: { shipped: number; refused: number },
  ) =>
    new SpoolShipper({
      spool,
      destination: { write, isOfRows: (error) => error instanceof RefusedError },
      logger,
      onShipped: (rows) => (told.shipped += rows),
      onRefused: (rows) => (told.refused += rows),
    });

  it('waits for what was there when it was asked to, and not for what keeps coming', async () => {
    const spool = open();
    const arrived: string[] = [];
    let more = 100;
    const write = (rows: string[]) => {
      arrived.push(...rows);
      // Each write takes long enough for the next row to come.
      if (more-- > 0) spool.append(frame([`"later ${more}"`]));
      return new Promise<void>((resolve) => void setImmediate(resolve));
    };
    const shipping = shipper(spool, write, { shipped: 0, refused: 0 });
    spool.append(frame(['"first"']));
    const all = shipping.ship();
    spool.append(frame(['"second"']));
    await shipping.flush();
    expect(arrived.slice(0, 2)).toEqual(['"first"', '"second"']);
    expect(arrived.length, 'it came back long before the load was over').toBeLessThan(10);
    await all;
    expect(arrived).toHaveLength(102);
    spool.close();
  });

  it('comes back when the destination is away', async () => {
    const spool = open();
    spool.append(frame(['"one"']));
    const shipping = shipper(spool, () => Promise.reject(new Error('away')), { shipped: 0, refused: 0 });
    await shipping.flush();
    expect(spool.isEmpty).toBe(false);
    spool.close();
  });

  it('loses none but the rows that are refused, wherever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (isBad) => {
        const spool = open();
        isBad.forEach((bad, at) => spool.append(frame([JSON.stringify({ at, bad })])));
        const arrived: number[] = [];
        const told = { shipped: 0, refused: 0 };
        const write = async (rows: string[]) => {
          const read = rows.map((row) => JSON.parse(row) as { at: number; bad: boolean });
          if (read.some(({ bad }) => bad)) throw new RefusedError('bad row');
          arrived.push(...read.map(({ at }) => at));
        };
        await shipper(spool, write, told).ship();
        const good = isBad.flatMap((bad, at) => (bad ? [] : [at]));
        expect(arrived).toEqual(good);
        expect(told).toEqual({ shipped: good.length, refused: isBad.length - good.length });
        spool.close();
      }),
      { numRuns: 30 },
    );
  });

  it('keeps everything while its destination is away, and ships it when it is back', async () => {
    const spool = open();
    for (let at = 0; at < 10; at++) spool.append(frame([`${at}`]));
    let isAway = true;
    const arrived: string[] = [];
    const told = { shipped: 0, refused: 0 };
    const write = async (rows: string[]) => {
      if (isAway) throw new Error('connect ECONNREFUSED');
      arrived.push(...rows);
    };
    const ships = shipper(spool, write, told);
    await ships.ship();
    expect([spool.rows, arrived]).toEqual([10, []]);
    isAway = false;
    await ships.ship();
    expect(arrived).toHaveLength(10);
    expect(told).toEqual({ shipped: 10, refused: 0 });
    expect(spool.rows).toBe(0);
  });
});
