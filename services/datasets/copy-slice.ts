import { open, type FileHandle } from 'node:fs/promises';
import { scanRecords, type RecordSink } from './scan-records.js';
import { finderOf, scanRules } from './slice-part.js';
import type { BadRecord, PartLayout, Slice } from './slices.js';

const BLOCK_BYTES = 4 * 2 ** 20;

/**
 * Writes the good records of a slice into a file of their own, which DuckDB can read: bytes as they are, or, where records end in
 * different ways, each with one line feed.
 */
export async function copySlice(
  layout: PartLayout,
  slice: Slice,
  bad: readonly BadRecord[],
  into: string,
  signal?: AbortSignal,
): Promise<void> {
  const source = await open(layout.path);
  const target = await open(into, 'w');
  try {
    if (slice.newline === 'mixed') await rewriteRecords(source, target, layout, slice, signal);
    else {
      await keepMark(source, target, firstGoodByte(slice, bad));
      let from = slice.from;
      for (const record of [...bad, { from: slice.to, to: slice.to }]) {
        await copyBytes(source, target, from, record.from, signal);
        from = record.to;
      }
    }
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** DuckDB drops a byte order mark at the beginning of a file. Here it is a part of the first cell, so it is given one to drop. */
async function keepMark(source: FileHandle, target: FileHandle, at: number): Promise<void> {
  const { buffer } = await source.read(Buffer.alloc(MARK.length), 0, MARK.length, at);
  if (buffer.equals(MARK)) await target.write(MARK);
}

function firstGoodByte(slice: Slice, bad: readonly BadRecord[]): number {
  let at = slice.from;
  for (const record of bad) if (record.from === at) at = record.to;
  return at;
}

async function copyBytes(
  source: FileHandle,
  target: FileHandle,
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<void> {
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, to - from));
  for (let at = from; at < to;) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(block, 0, Math.min(block.length, to - at), at);
    if (bytesRead === 0) throw new Error('The file became shorter while it was read.');
    await target.write(block, 0, bytesRead);
    at += bytesRead;
  }
}

async function rewriteRecords(
  source: FileHandle,
  target: FileHandle,
  layout: PartLayout,
  slice: Slice,
  signal?: AbortSignal,
): Promise<void> {
  let lines: Buffer[] = [];
  let isFirst = true;
  const sink: RecordSink = {
    good: (_from, _to, content) =>
      void lines.push(layout.format === 'json' ? onOneLine(content) : withOneFeed(content)),
    bad: () => undefined,
    blank: () => undefined,
    async pause() {
      if (isFirst && lines[0]?.subarray(0, MARK.length).equals(MARK)) lines.unshift(MARK);
      isFirst &&= lines.length === 0;
      await target.write(Buffer.concat(lines));
      lines = [];
    },
  };
  const find = finderOf(layout, { isInArray: slice.isInArray });
  await scanRecords(source, { from: slice.from, to: slice.to, find, ...scanRules(layout), signal }, sink);
}

const FEED = Buffer.from('\n');

function withOneFeed(record: Buffer): Buffer {
  let end = record.length;
  if (record[end - 1] === 10) end--;
  if (record[end - 1] === 13) end--;
  return Buffer.concat([record.subarray(0, end), FEED]);
}

/** A line break in JSON stands between its tokens, where a blank is as good. */
function onOneLine(value: Buffer): Buffer {
  const line = Buffer.alloc(value.length + 1, value);
  for (let at = 0; at < value.length; at++) if (line[at] === 10 || line[at] === 13) line[at] = 32;
  line[value.length] = 10;
  return line;
}
