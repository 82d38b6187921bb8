import { crc32 } from 'node:zlib';

/** `MLSF`: where a frame begins, so that what follows a damaged one is found again. */
const MAGIC = Buffer.from('MLSF');
/** magic, length of the payload, CRC-32 of all behind it, rows, time of the first and of the last row */
const HEADER_BYTES = 4 + 4 + 4 + 4 + 8 + 8;
const MOST_PAYLOAD = 2 ** 28;

/** Rows that were written together. */
export interface Frame {
  rows: number;
  /** Milliseconds since 1970 of the oldest and of the newest row. */
  firstMs: number;
  lastMs: number;
  /** One JSON text a row, each ended by a line feed. */
  payload: Buffer;
}

/** @returns the bytes of a frame, with a checksum over everything that a reader relies on */
export function encodeFrame({ rows, firstMs, lastMs, payload }: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(payload.length, 4);
  bytes.writeUInt32LE(rows, 12);
  bytes.writeDoubleLE(firstMs, 16);
  bytes.writeDoubleLE(lastMs, 24);
  payload.copy(bytes, HEADER_BYTES);
  bytes.writeUInt32LE(checksum(bytes.subarray(4, 8), bytes.subarray(12)), 8);
  return bytes;
}

const checksum = (length: Buffer, rest: Buffer) => crc32(rest, crc32(length));

export interface ReadFrames {
  frames: Frame[];
  /** Bytes that are done with. Behind them lies the beginning of a frame whose end was not read yet, or nothing. */
  consumed: number;
  /** Bytes that belong to no whole frame and were skipped. */
  damaged: number;
}

/**
 * Reads the whole frames of a piece of a file. What is no frame, or fails its checksum, is skipped up to the next beginning.
 * @param isEnd whether nothing follows the piece: a frame that is cut off is then damage
 */
export function readFrames(bytes: Buffer, isEnd: boolean): ReadFrames {
  const frames: Frame[] = [];
  let at = 0;
  let damaged = 0;
  while (at < bytes.length) {
    const read = readFrameAt(bytes, at);
    if (read === 'cut off' && !isEnd) break;
    if (typeof read === 'object') {
      frames.push(read.frame);
      at = read.end;
      continue;
    }
    const next = bytes.indexOf(MAGIC, at + 1);
    const end = next === -1 ? bytes.length : next;
    damaged += end - at;
    at = end;
  }
  return { frames, consumed: at, damaged };
}

function readFrameAt(bytes: Buffer, at: number): { frame: Frame; end: number } | 'cut off' | 'damaged' {
  const magic = bytes.subarray(at, at + 4);
  if (!MAGIC.subarray(0, magic.length).equals(magic)) return 'damaged';
  if (bytes.length - at < HEADER_BYTES) return 'cut off';
  const length = bytes.readUInt32LE(at + 4);
  if (length > MOST_PAYLOAD) return 'damaged';
  const end = at + HEADER_BYTES + length;
  if (end > bytes.length) return 'cut off';
  if (checksum(bytes.subarray(at + 4, at + 8), bytes.subarray(at + 12, end)) !== bytes.readUInt32LE(at + 8))
    return 'damaged';
  return {
    frame: {
      rows: bytes.readUInt32LE(at + 12),
      firstMs: bytes.readDoubleLE(at + 16),
      lastMs: bytes.readDoubleLE(at + 24),
      payload: bytes.subarray(at + HEADER_BYTES, end),
    },
    end,
  };
}
