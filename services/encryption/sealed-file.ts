import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Transform, type TransformCallback } from 'node:stream';
import type { KeyRing } from './key-ring.js';

/**
 * A sealed file: a header, and then the content in pieces.
 *
 *     "MLSE" | 1 | bytes of the key id | key id | data key, sealed with that key (76 bytes)
 *     for each 64 KiB of the content: ciphertext | tag (16 bytes)
 *
 * Each file has a data key of its own, AES-256-GCM; the nonce of a piece is its number and whether it is the last one, and the header is
 * authenticated with each. So a changed byte, a piece that was lost, moved, or taken from another file, and a file that ends early are all found.
 */
const MAGIC = Buffer.from('MLSE\u0001', 'latin1');
const PIECE_BYTES = 65_536;
const TAG_BYTES = 16;
const DATA_KEY_BYTES = 32;
/** Salt, nonce, tag and the key itself, as the ring seals it. */
const SEALED_KEY_BYTES = 16 + 12 + 16 + DATA_KEY_BYTES;
const CONTEXT = 'file data key';

/** Something sealed was changed, cut off, or is of a key that is not in the ring. */
export class SealError extends Error {
  override readonly name = 'SealError';
  /** Nothing is wrong with the bytes; with the right key they open. */
  readonly isKeyMissing: boolean;
  constructor(message: string, options: ErrorOptions & { isKeyMissing?: boolean } = {}) {
    super(message, options);
    this.isKeyMissing = options.isKeyMissing ?? false;
  }
}

interface Header {
  keyId: string;
  bytes: Buffer;
}

/** Whether a file with this beginning is sealed. */
export const isSealed = (beginning: Uint8Array): boolean =>
  beginning.length >= MAGIC.length && MAGIC.equals(beginning.subarray(0, MAGIC.length));

/** @returns undefined while more bytes are needed */
function readHeader(bytes: Buffer): Header | undefined {
  if (bytes.length <= MAGIC.length) return undefined;
  const end = MAGIC.length + 1 + bytes[MAGIC.length]! + SEALED_KEY_BYTES;
  if (bytes.length < end) return undefined;
  return {
    keyId: bytes.toString('utf8', MAGIC.length + 1, end - SEALED_KEY_BYTES),
    bytes: bytes.subarray(0, end),
  };
}

function nonceOf(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number));
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

/** Seals piece after piece. */
class Sealer {
  readonly header: Buffer;
  readonly #key = randomBytes(DATA_KEY_BYTES);
  #number = 0;

  constructor(keys: KeyRing) {
    const { keyId, bytes } = keys.seal(this.#key, CONTEXT);
    const id = Buffer.from(keyId);
    this.header = Buffer.concat([MAGIC, Buffer.from([id.length]), id, bytes]);
  }

  seal(piece: Uint8Array, isLast: boolean): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#number++, isLast));
    cipher.setAAD(this.header);
    return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
  }
}

/** Opens piece after piece. @throws SealError */
class Opener {
  readonly #key: Uint8Array;
  #number = 0;

  constructor(
    keys: KeyRing | undefined,
    private readonly header: Header,
  ) {
    const { keyId, bytes } = header;
    if (!keys)
      throw new SealError(`It is encrypted with the key "${keyId}", and ENCRYPTION_KEYS is not set.`, {
        isKeyMissing: true,
      });
    try {
      this.#key = keys.open({ keyId, bytes: bytes.subarray(bytes.length - SEALED_KEY_BYTES) }, CONTEXT);
    } catch (error) {
      throw new SealError((error as Error).message, { cause: error, isKeyMissing: !keys.ids.includes(keyId) });
    }
  }

  open(piece: Buffer, isLast: boolean): Buffer {
    if (piece.length < TAG_BYTES) throw new SealError('The encrypted bytes are cut off.');
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(this.#number++, isLast));
    decipher.setAAD(this.header.bytes);
    decipher.setAuthTag(piece.subarray(piece.length - TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(piece.subarray(0, piece.length - TAG_BYTES)), decipher.final()]);
    } catch {
      throw new SealError('The encrypted bytes were changed, moved or cut off.');
    }
  }
}

/** The whole content in one go. */
export function sealBytes(keys: KeyRing, plain: Uint8Array): Buffer {
  const sealer = new Sealer(keys);
  const parts = [sealer.header];
  for (let at = 0; ; at += PIECE_BYTES) {
    const isLast = at + PIECE_BYTES >= plain.length;
    parts.push(sealer.seal(plain.subarray(at, at + PIECE_BYTES), isLast));
    if (isLast) return Buffer.concat(parts);
  }
}

/** What is not sealed passes as it is. @throws SealError */
export function openBytes(keys: KeyRing | undefined, bytes: Buffer): Buffer {
  if (!isSealed(bytes)) return bytes;
  const header = readHeader(bytes);
  if (!header) throw new SealError('The encrypted bytes are cut off.');
  const opener = new Opener(keys, header);
  const parts: Buffer[] = [];
  for (let at = header.bytes.length; ; at += PIECE_BYTES + TAG_BYTES) {
    const isLast = at + PIECE_BYTES + TAG_BYTES >= bytes.length;
    parts.push(opener.open(bytes.subarray(at, at + PIECE_BYTES + TAG_BYTES), isLast));
    if (isLast) return Buffer.concat(parts);
  }
}

/** Cuts what comes into pieces of one size. */
class Pieces {
  #waiting: Buffer = Buffer.alloc(0);

  constructor(private readonly size: number) {}

  /** @returns whole pieces. One byte more stays: only then is it known that a piece is not the last. */
  *take(chunk: Buffer): Generator<Buffer> {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    while (this.#waiting.length > this.size) {
      const piece = this.#waiting.subarray(0, this.size);
      this.#waiting = this.#waiting.subarray(this.size);
      yield piece;
    }
  }

  /** What is left; nothing where nothing came. */
  get last(): Buffer {
    return this.#waiting;
  }
}

class SealStream extends Transform {
  readonly #sealer: Sealer;
  readonly #pieces = new Pieces(PIECE_BYTES);

  constructor(keys: KeyRing) {
    super();
    this.#sealer = new Sealer(keys);
    this.push(this.#sealer.header);
  }
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (const piece of this.#pieces.take(chunk)) this.push(this.#sealer.seal(piece, false));
    done();
  }
  override _flush(done: TransformCallback): void {
    done(null, this.#sealer.seal(this.#pieces.last, true));
  }
}

class OpenStream extends Transform {
  #opener: Opener | 'plain' | undefined;
  #beginning: Buffer = Buffer.alloc(0);
  readonly #pieces = new Pieces(PIECE_BYTES + TAG_BYTES);

  constructor(private readonly keys: KeyRing | undefined) {
    super();
  }
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      const rest = this.#opener === undefined ? this.#begin(chunk) : chunk;
      if (this.#opener === 'plain') this.push(rest);
      else if (this.#opener) for (const piece of this.#pieces.take(rest)) this.push(this.#opener.open(piece, false));
      done();
    } catch (error) {
      done(error as Error);
    }
  }
  /** @returns what comes behind the header */
  #begin(chunk: Buffer): Buffer {
    this.#beginning = Buffer.concat([this.#beginning, chunk]);
    const beginning = this.#beginning;
    if (beginning.length >= MAGIC.length && !isSealed(beginning)) {
      this.#opener = 'plain';
      return beginning;
    }
    const header = isSealed(beginning) ? readHeader(beginning) : undefined;
    if (!header) return Buffer.alloc(0);
    this.#opener = new Opener(this.keys, header);
    return beginning.subarray(header.bytes.length);
  }
  override _flush(done: TransformCallback): void {
    try {
      if (this.#opener === undefined && isSealed(this.#beginning))
        throw new SealError('The encrypted bytes are cut off.');
      if (this.#opener === undefined) this.push(this.#beginning);
      else if (this.#opener !== 'plain') this.push(this.#opener.open(this.#pieces.last, true));
      done();
    } catch (error) {
      done(error as Error);
    }
  }
}

/** Seals what runs through it. */
export const sealStream = (keys: KeyRing): Transform => new SealStream(keys);

/** Opens what runs through it; what is not sealed passes as it is. It fails with a SealError. */
export const openStream = (keys: KeyRing | undefined): Transform => new OpenStream(keys);

/** The id of the key that a file is sealed with; undefined for one that is not sealed. */
export async function keyIdOfFile(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r');
  try {
    const beginning = Buffer.alloc(MAGIC.length + 1 + 255 + SEALED_KEY_BYTES);
    const { bytesRead } = await handle.read(beginning, 0, beginning.length, 0);
    const read = beginning.subarray(0, bytesRead);
    return isSealed(read) ? (readHeader(read)?.keyId ?? '') : undefined;
  } finally {
    await handle.close();
  }
}
