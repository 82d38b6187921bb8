import { Transform, type TransformCallback } from 'node:stream';
import { Decompress } from 'fzstd';
import xxhash, { type XXHash } from 'xxhash-wasm';
import { walkFrames, type ZstdFrame } from './zstd-frames.js';

/** zstd can make 128 KiB of four bytes, so it gets little at once. */
const PUSH_BYTES = 1024;

/**
 * Unpacks zstd: any number of frames, skippable ones among them. fzstd looks neither at checksums nor at lengths that frames state, so both are
 * held to here, frame by frame.
 * The stream fails with an Error when the content is damaged or cut off, or asks for more memory than `walkFrames` grants.
 */
export async function createUnzstd(): Promise<Transform> {
  const hashes = await xxhash();
  const walk = walkFrames();
  let open: OpenFrame | undefined;
  const take = (chunk: Buffer) => {
    for (const { bytes, frame, isEnd } of walk.take(chunk)) {
      open ??= openFrame(hashes, (content) => void stream.push(content));
      for (let at = 0; at < bytes.length; at += PUSH_BYTES) open.push(bytes.subarray(at, at + PUSH_BYTES));
      if (!isEnd) continue;
      open.close(frame);
      open = undefined;
    }
  };
  const stream = new Transform({
    transform: (chunk: Buffer, _encoding, done) => attempt(() => take(chunk), done),
    flush: (done) => attempt(() => walk.end(), done),
  });
  return stream;
}

type OpenFrame = ReturnType<typeof openFrame>;

function openFrame({ create64 }: { create64: () => XXHash<bigint> }, push: (content: Buffer) => void) {
  const hash = create64();
  let length = 0;
  const decompress = new Decompress((content) => {
    hash.update(content);
    length += content.length;
    push(Buffer.from(content));
  });
  return {
    push: (bytes: Buffer) => void decompress.push(bytes, false),
    close({ checksum, contentBytes }: ZstdFrame) {
      // It keeps the bytes of a short frame until it is told that these are all.
      decompress.push(new Uint8Array(0), true);
      if (contentBytes !== undefined && contentBytes !== length)
        throw new Error(`a frame has ${length} bytes where it states ${contentBytes}`);
      if (checksum !== undefined && checksum !== Number(hash.digest() & 0xffff_ffffn))
        throw new Error('the checksum does not fit the content: the file is damaged');
    },
  };
}

function attempt(work: () => void, done: TransformCallback): void {
  try {
    work();
    done();
  } catch (error) {
    done(error as Error);
  }
}
