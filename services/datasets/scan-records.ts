import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { ServiceError } from '../../core/errors.js';
import type { FindRecord, FoundRecord } from './find-record.js';
import { MOST_RECORD_BYTES } from './slices.js';

const BLOCK_BYTES = 4 * 2 ** 20;
/** Most lines that a block ends within are shorter, so that one buffer does for a whole file. */
const MOST_LINE_KEPT = 64 * 2 ** 10;
/** Text of a bad record that is kept. */
const MOST_CONTENT_BYTES = 2 ** 20;
const LF = 10;
const CR = 13;
const QUOTE = 34;
const BLANK_LINE = Buffer.from('\n\n');

/** Told of each record in order; bytes count from the beginning of the file. `content` is valid for the time of the call. */
export interface RecordSink {
  good(from: number, to: number, content: Buffer): void;
  /** Many good records at once, each a line of `content`, which begins at `from`. A sink without it is told of each alone. */
  run?(from: number, content: Buffer): void;
  bad(from: number, to: number, reason: string, content: string): void;
  /** Bytes without a record: a blank line. */
  blank(from: number, to: number): void;
  /** Between two blocks: what has to be written can be written. `at` is how far the scan is. */
  pause?(at: number): Promise<void>;
}

interface ScanOptions {
  /** Bytes to scan. */
  from: number;
  to: number;
  find: FindRecord;
  /** Whether records end with lines, so that the next line can be tried when one is no good. */
  isLineBased: boolean;
  /** Whether a blank line is a record: a row of one empty cell. */
  isBlankRecord: boolean;
  /** Whether lines are records wherever there are neither quotes nor carriage returns. */
  hasPlainLines: boolean;
  signal?: AbortSignal;
}

/**
 * Walks through the records of a text file in blocks, with memory for one record of `MOST_RECORD_BYTES`. A record that is longer, not
 * UTF-8, or has a NUL character, is bad; one whose quotes do not fit costs its own line, and the next line is tried again.
 */
export async function scanRecords(file: FileHandle, options: ScanOptions, sink: RecordSink): Promise<void> {
  let buffer: Buffer = Buffer.allocUnsafe(Math.min(BLOCK_BYTES + MOST_LINE_KEPT, options.to - options.from));
  let window = buffer.subarray(0, 0);
  let base = options.from;
  let next = options.from;
  while (next < options.to || window.length > 0) {
    options.signal?.throwIfAborted();
    const wanted = Math.min(BLOCK_BYTES, options.to - next);
    buffer = withRoom(buffer, window, wanted);
    const { bytesRead } = await file.read(buffer, window.length, wanted, next);
    if (wanted > 0 && bytesRead === 0) throw new Error('The file became shorter while it was read.');
    next += bytesRead;
    window = buffer.subarray(0, window.length + bytesRead);
    const isLast = next >= options.to;
    let at = walkWindow(window, base, isLast, options, sink);
    if (window.length - at > MOST_RECORD_BYTES) {
      if (!options.isLineBased) throw endlessValue(base + at);
      const end = endOfLong(window, at);
      if (end === undefined) {
        const start = base + at;
        next = await skipLine(file, next, options.to);
        sink.bad(start, next, tooLong(next - start), textOf(window.subarray(at)));
        at = window.length;
        base = next - at;
      } else {
        sink.bad(base + at, base + end, LONG_QUOTE, textOf(window.subarray(at, end)));
        at = end;
      }
    } else if (isLast && at < window.length) {
      throw new Error(`${window.length - at} bytes at the end of the file are no record.`);
    }
    base += at;
    window = window.subarray(at);
    await sink.pause?.(base);
  }
}

/** What is left of the window at the beginning of a buffer with room behind it: the same one, where that is large enough. */
function withRoom(buffer: Buffer, window: Buffer, bytes: number): Buffer {
  const isEnough = window.length + bytes <= buffer.length;
  const target = isEnough ? buffer : Buffer.allocUnsafe(window.length + bytes);
  window.copy(target);
  return target;
}

const endlessValue = (at: number) =>
  new ServiceError(
    'source_unreadable',
    `The JSON value at byte ${at} is longer than ${MOST_RECORD_BYTES} bytes, or does not end. Send an array of objects, or NDJSON.`,
  );
const LONG_QUOTE = `a quote is opened and not closed within ${MOST_RECORD_BYTES / 2 ** 20} MiB`;
const tooLong = (bytes: number) => `the line has ${bytes} bytes; at most ${MOST_RECORD_BYTES} are read`;

/** Tells the sink of the records that lie wholly in the window. @returns where the first one begins that does not. */
function walkWindow(
  window: Buffer,
  base: number,
  isLast: boolean,
  { find, isBlankRecord, isLineBased, hasPlainLines }: ScanOptions,
  sink: RecordSink,
): number {
  const end = isLast || !isLineBased ? window.length : window.lastIndexOf(LF) + 1;
  const lines = window.subarray(0, end);
  const isClean = isUtf8(lines) && window.indexOf(0) < 0;
  if (sink.run && isClean && hasPlainLines && isPlain(lines)) {
    sink.run(base, lines);
    return end;
  }
  let at = 0;
  while (at < window.length) {
    const found: FoundRecord | undefined = find(window, at, isLast);
    if (!found) break;
    const { from, to } = found;
    if (from > at) sink.blank(base + at, base + from);
    const content = window.subarray(from, to);
    const reason = found.reason ?? (isClean ? undefined : whyUnclean(content)) ?? whyLong(content);
    if (reason) sink.bad(base + from, base + to, reason, textOf(content));
    else if (!isBlankRecord && isBlank(content)) sink.blank(base + from, base + to);
    else sink.good(base + from, base + to, content);
    at = to;
  }
  return at;
}

/** Whether each line is one record for sure. What files are full of is looked at without a call for each line. */
function isPlain(lines: Buffer): boolean {
  return (
    lines.length > 0 &&
    lines.length <= MOST_RECORD_BYTES &&
    lines[0] !== LF &&
    !lines.includes(QUOTE) &&
    !lines.includes(CR) &&
    !lines.includes(BLANK_LINE)
  );
}

/** Lines in a part of a buffer; the last may end with it. */
export function countLines(content: Buffer, from: number, to: number): number {
  const part = content.subarray(from, to);
  let lines = 0;
  // A search costs as much as ten bytes looked at one by one, and few lines are shorter.
  for (let at = part.indexOf(LF); at >= 0; at = part.indexOf(LF, at + 1)) lines++;
  return lines + (to > from && content[to - 1] !== LF ? 1 : 0);
}

const whyLong = (content: Buffer) => (content.length > MOST_RECORD_BYTES ? tooLong(content.length) : undefined);

function whyUnclean(content: Buffer): string | undefined {
  if (!isUtf8(content)) return 'the bytes are not UTF-8: save the file in the encoding UTF-8';
  return content.includes(0) ? 'it has a NUL character' : undefined;
}

/** No character but the line break. */
function isBlank(content: Buffer): boolean {
  return content.length === 0 || (content.length <= 2 && content.every((byte) => byte === LF || byte === CR));
}

/** The end of the first line of a record that is too long. */
function endOfLong(window: Buffer, at: number): number | undefined {
  const feed = window.indexOf(LF, at);
  return feed < 0 ? undefined : feed + 1;
}

/** @returns where the next line begins, without keeping anything of this one. */
async function skipLine(file: FileHandle, from: number, to: number): Promise<number> {
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let at = from; at < to;) {
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, to - at), at);
    if (bytesRead === 0) break;
    const feed = block.subarray(0, bytesRead).indexOf(LF);
    if (feed >= 0) return at + feed + 1;
    at += bytesRead;
  }
  return to;
}

function textOf(content: Buffer): string {
  const text = content
    .subarray(0, MOST_CONTENT_BYTES)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  return content.length > MOST_CONTENT_BYTES ? `${text}…` : text;
}
