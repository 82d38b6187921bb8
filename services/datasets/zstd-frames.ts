/** What a frame states of its content. */
export interface ZstdFrame {
  /** Length of the content. */
  contentBytes?: number;
  /** The lower half of XXH64 of the content. */
  checksum?: number;
}

/** A piece of a frame; the last one of each ends with it. */
interface FramePiece {
  bytes: Buffer;
  frame: ZstdFrame;
  isEnd: boolean;
}

/** As much as zstd itself grants without being asked. */
const MOST_WINDOW_BYTES = 128 * 2 ** 20;
const MAGIC = 0xfd2fb528;
const MAGIC_BYTES = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const SKIPPABLE = 0x184d2a50;

/**
 * Finds where the frames of a zstd stream begin and end, in pieces of any size, without unpacking them (RFC 8878, section 3.1).
 * `take` gives the pieces of frames with content, in order; skippable frames are left out. `end` throws where the stream ends within a frame.
 * Both throw an Error at what is no zstd, and at a window of more than 128 MiB.
 */
export function walkFrames() {
  /** The bytes of the field under way, how many it has, and what comes of it. */
  let field: Buffer = Buffer.alloc(0);
  let need = 4;
  let read: (bytes: Buffer) => void = readMagic;
  /** Bytes that are passed by: the content of a block or of a skippable frame. */
  let pass = 0;
  let frame: (ZstdFrame & { hasChecksum: boolean }) | undefined;
  let isEnd = false;

  const expect = (bytes: number, then: (bytes: Buffer) => void) => ([need, read] = [bytes, then]);

  function readMagic(bytes: Buffer): void {
    const magic = bytes.readUInt32LE();
    if (magic === MAGIC) {
      frame = { hasChecksum: false };
      expect(1, readDescriptor);
    } else if (magic >>> 4 === SKIPPABLE >>> 4) expect(4, readSkippable);
    else throw new Error('invalid zstd data');
  }

  function readSkippable(bytes: Buffer): void {
    pass = bytes.readUInt32LE();
    expect(4, readMagic);
  }

  function readDescriptor([descriptor]: Buffer): void {
    const isSingle = (descriptor! & 32) !== 0;
    frame!.hasChecksum = (descriptor! & 4) !== 0;
    const lengthBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor! >> 6]!;
    const dictionaryBytes = [0, 1, 2, 4][descriptor! & 3]!;
    const windowBytes = isSingle ? 0 : 1;
    const rest = windowBytes + dictionaryBytes + lengthBytes;
    const then = (bytes: Buffer) => {
      const at = windowBytes + dictionaryBytes;
      if (dictionaryBytes > 0 && bytes.readUIntLE(windowBytes, dictionaryBytes) > 0)
        throw new Error('it was packed with a dictionary, which is not known here');
      if (lengthBytes > 0) frame!.contentBytes = readLength(bytes.subarray(at));
      refuseWindow(isSingle ? frame!.contentBytes! : windowOf(bytes[0]!));
      expect(3, readBlock);
    };
    expect(rest, then);
  }

  function readBlock(bytes: Buffer): void {
    const header = bytes.readUIntLE(0, 3);
    const [isLast, type, size] = [(header & 1) !== 0, (header >> 1) & 3, header >> 3];
    if (type === 3) throw new Error('invalid zstd data');
    pass = type === 1 ? 1 : size;
    if (!isLast) expect(3, readBlock);
    else if (frame!.hasChecksum) expect(4, readChecksum);
    else expect(0, endFrame);
  }

  function readChecksum(bytes: Buffer): void {
    frame!.checksum = bytes.readUInt32LE();
    endFrame();
  }

  function endFrame(): void {
    isEnd = true;
    expect(4, readMagic);
  }

  /** One step from `at`: passes bytes by or fills the field. @returns where the next one begins */
  function step(chunk: Buffer, at: number): number {
    if (pass > 0) {
      const passed = Math.min(pass, chunk.length - at);
      pass -= passed;
      return at + passed;
    }
    const part = chunk.subarray(at, at + need - field.length);
    field = field.length === 0 ? part : Buffer.concat([field, part]);
    if (field.length < need) field = Buffer.from(field);
    else {
      const bytes = field;
      field = Buffer.alloc(0);
      read(bytes);
    }
    return at + part.length;
  }

  /** Whether the next step needs no bytes: the end of a frame without a checksum. */
  const isDue = () => pass === 0 && need === 0;

  function* take(chunk: Buffer): Generator<FramePiece> {
    let start = 0;
    let at = 0;
    while (at < chunk.length || isDue()) {
      const isWithin = frame !== undefined;
      at = step(chunk, at);
      if (!isWithin) {
        // The magic number may have begun in the chunk before this one.
        if (frame) yield { bytes: MAGIC_BYTES, frame, isEnd };
        start = at;
      }
      if (!isEnd) continue;
      yield { bytes: chunk.subarray(start, at), frame: frame!, isEnd };
      [isEnd, frame, start] = [false, undefined, at];
    }
    if (frame && start < chunk.length) yield { bytes: chunk.subarray(start), frame, isEnd };
  }

  return {
    take,
    end() {
      if (frame || field.length > 0 || pass > 0) throw new Error('unexpected end of the file');
    },
  };
}

/** The length of the content as the header has it; two bytes count from 256. */
function readLength(bytes: Buffer): number {
  if (bytes.length === 8) return Number(bytes.readBigUInt64LE());
  return bytes.readUIntLE(0, bytes.length) + (bytes.length === 2 ? 256 : 0);
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function refuseWindow(bytes: number): void {
  if (bytes > MOST_WINDOW_BYTES)
    throw new Error(
      `it needs a window of ${Math.ceil(bytes / 2 ** 20)} MiB, and at most ${MOST_WINDOW_BYTES / 2 ** 20} are granted: pack it without --ultra and with --long=27 at most`,
    );
}
