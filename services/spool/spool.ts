import { closeSync, fdatasync, fdatasyncSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { open, readdir, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath } from '../storage/sync-path.js';
import type { Logger } from '../telemetry/logger.js';
import { atRest, fromRest } from '../encryption/file-keys.js';
import { SealError } from '../encryption/sealed-file.js';
import { encodeFrame, readFrames, type Frame } from './frame.js';
import { isOrphaned, ownerName } from './owner.js';

const SEGMENT_BYTES = 4 * 2 ** 20;
/** Frames are forced to the disk together, this long after the first of them. */
const SYNC_AFTER_MS = 100;
export const SPOOL_ENDING = '.spool';

/** A file of frames. All but the newest are complete. */
interface Segment {
  path: string;
  bytes: number;
  /** Bytes whose rows have reached their destination. */
  shipped: number;
  /** Rows that have not; not known of a file that another process has left. */
  rows: number | undefined;
}

/** What waits on disk. */
export interface SpoolState {
  rows: number;
  bytes: number;
  most_bytes: number;
}

export interface SpoolOptions {
  /** Each process that spools has a folder of its own in it. */
  folder: string;
  /** Above this the oldest file is given up. */
  mostBytes: number;
  /** Forces each frame to the disk before `append` returns. */
  isSyncedAtOnce?: boolean;
  logger: Logger;
  /** Told of rows that are lost, with the reason. */
  onLost: (rows: number, reason: string) => void;
}

/** Some frames on their way, all of one file. */
export interface SpoolBatch {
  frames: Frame[];
  /** Called when the rows have arrived: they are not given out again. */
  done: () => void;
}

/**
 * Rows on disk, between the moment they came to be and the moment they have reached their destination. A row whose `append` has
 * returned survives a kill of the process, and after a tenth of a second a loss of power. Rows may be given out twice after a
 * crash, so their destination must know a row when it sees it again.
 */
export class Spool {
  readonly #own: string;
  #segments: Segment[] = [];
  #file: number | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  /** The file that is being shipped is not given up meanwhile. */
  #underWay: Segment | undefined;
  #isFailing = false;
  #adopted = 0;
  /** Files that were full and are being synced for the last time. */
  readonly #closing = new Set<Promise<void>>();
  #runningSync: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | undefined;
  /** Names of files are on the disk once their folder is. */
  #isNamed = false;

  constructor(private readonly options: SpoolOptions) {
    this.#own = join(options.folder, ownerName());
    mkdirSync(this.#own, { recursive: true });
  }

  /** Rows that wait; files of other processes whose rows were not counted yet are left out. */
  get rows(): number {
    return this.#segments.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes, shipped }) => sum + bytes - shipped, 0);
  }

  /** @param mostBytes what may wait, where the spool itself has no bound */
  state(mostBytes = this.options.mostBytes): SpoolState {
    return { rows: this.rows, bytes: this.bytes, most_bytes: mostBytes };
  }

  get isEmpty(): boolean {
    return this.#segments.every(({ bytes, shipped }) => bytes === shipped);
  }

  /** @returns tells whether all that waits now has arrived or was given up, whatever has come since */
  mark(): () => boolean {
    const waiting = this.#segments
      .filter(({ bytes, shipped }) => shipped < bytes)
      .map((segment) => ({ segment, end: segment.bytes }));
    return () => waiting.every(({ segment, end }) => segment.shipped >= end || !this.#segments.includes(segment));
  }

  /**
   * Writes a frame. A disk that cannot take it costs the rows, which are counted, and never throws.
   * @returns whether the frame was written
   */
  append(frame: Frame): boolean {
    let isWritten = false;
    try {
      const bytes = encodeFrame({ ...frame, payload: atRest(frame.payload) });
      const { segment, file } = this.#writable();
      let written = 0;
      // At its place: what a failed attempt has left is written over.
      while (written < bytes.length)
        written += writeSync(file, bytes, written, bytes.length - written, segment.bytes + written);
      if (this.options.isSyncedAtOnce) fdatasyncSync(file);
      else this.#syncSoon(file);
      segment.bytes += bytes.length;
      segment.rows = (segment.rows ?? 0) + frame.rows;
      this.#isFailing = false;
      isWritten = true;
    } catch (error) {
      // Once, not for each of thousands of requests.
      if (!this.#isFailing)
        this.options.logger.error({ err: error, folder: this.#own }, 'the spool cannot be written; rows are lost');
      this.#isFailing = true;
      this.options.onLost(frame.rows, 'the spool cannot be written');
    }
    this.#keepWithinBounds();
    return isWritten;
  }

  #writable(): { segment: Segment; file: number } {
    const newest = this.#segments.at(-1);
    if (this.#file !== undefined && newest && newest.bytes < SEGMENT_BYTES)
      return { segment: newest, file: this.#file };
    this.#closeFile();
    const path = join(this.#own, `${Date.now().toString(36)}-${process.hrtime.bigint().toString(36)}${SPOOL_ENDING}`);
    const file = openSync(path, 'wx');
    const segment = { path, bytes: 0, shipped: 0, rows: 0 };
    this.#segments.push(segment);
    this.#file = file;
    this.#isNamed = false;
    return { segment, file };
  }

  #closeFile(): void {
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    const closing = syncFile(file).finally(() => {
      closeSync(file);
      this.#closing.delete(closing);
    });
    this.#closing.add(closing);
    // Whoever waits for the sync is told by `synced`.
    closing.catch(() => undefined);
  }

  /**
   * Waits without holding up the process. All that wait at the same time share one sync.
   * @returns once every frame so far is on the disk, so that it survives a loss of power too
   * @throws Error when the disk could not take it
   */
  synced(): Promise<void> {
    this.#nextSync ??= this.#runningSync
      .catch(() => undefined)
      .then(() => {
        this.#nextSync = undefined;
        this.#runningSync = this.#syncAll();
        return this.#runningSync;
      });
    return this.#nextSync;
  }

  async #syncAll(): Promise<void> {
    const isNamed = this.#isNamed;
    this.#isNamed = true;
    try {
      await Promise.all([this.#file === undefined ? undefined : syncFile(this.#file), ...this.#closing]);
      if (!isNamed) for (const folder of [this.#own, this.options.folder]) await syncPath(folder);
    } catch (error) {
      this.#isNamed = false;
      throw error;
    }
  }

  #syncSoon(file: number): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      // A later frame of the file may have rotated it away; closing syncs it, too.
      if (this.#file === file) fdatasync(file, () => undefined);
    }, SYNC_AFTER_MS);
  }

  #keepWithinBounds(): void {
    while (this.bytes > this.options.mostBytes) {
      const newest = this.#file === undefined ? undefined : this.#segments.at(-1);
      const oldest = this.#segments.find((segment) => segment !== this.#underWay && segment !== newest);
      if (!oldest) return;
      const rows = oldest.rows ?? 0;
      this.#forget(oldest);
      this.options.onLost(rows, 'the spool is full: the oldest rows were given up');
    }
  }

  /** Takes what has arrived from the disk at once, the file that is written to included. */
  forgetShipped(): void {
    const arrived = this.#segments.filter((one) => one !== this.#underWay && one.shipped >= one.bytes);
    for (const segment of arrived) this.#forget(segment);
  }

  #forget(segment: Segment): void {
    if (segment === this.#segments.at(-1)) this.#closeFile();
    this.#segments = this.#segments.filter((other) => other !== segment);
    rmSync(segment.path, { force: true });
  }

  /**
   * The oldest rows that wait. One batch at a time: the next begins behind it once it is done, and at its beginning if it never is.
   * @param mostBytes read at once; a frame that is bigger comes alone
   */
  async next(mostBytes: number): Promise<SpoolBatch | undefined> {
    for (;;) {
      const segment = this.#segments.find(({ bytes, shipped }) => shipped < bytes);
      this.#underWay = segment;
      if (!segment) return undefined;
      const read = await this.#read(segment, mostBytes);
      const end = segment.shipped + read.consumed;
      if (read.damaged > 0)
        this.options.logger.error(
          { file: segment.path, bytes: read.damaged },
          'a part of a spool file is damaged and was skipped',
        );
      const rows = read.frames.reduce((sum, frame) => sum + frame.rows, 0);
      const done = () => {
        segment.shipped = end;
        if (segment.rows !== undefined) segment.rows -= rows;
        const isOpen = this.#file !== undefined && segment === this.#segments.at(-1);
        if (segment.shipped >= segment.bytes && !isOpen) this.#forget(segment);
        this.#underWay = undefined;
      };
      const frames = read.frames.flatMap((frame) => this.#opened(frame, segment));
      if (frames.length > 0) return { frames, done };
      done();
    }
  }

  /** @throws SealError for a key that is not in the ring: the rows wait until it is */
  #opened(frame: Frame, { path }: Segment): Frame[] {
    try {
      return [{ ...frame, payload: fromRest(frame.payload) }];
    } catch (error) {
      if (!(error instanceof SealError) || error.isKeyMissing) throw error;
      this.options.logger.error({ file: path, rows: frame.rows }, 'rows of a spool file do not open and were skipped');
      this.options.onLost(frame.rows, 'they were changed on the disk');
      return [];
    }
  }

  async #read(segment: Segment, mostBytes: number) {
    const handle = await open(segment.path, 'r');
    try {
      const left = segment.bytes - segment.shipped;
      for (let size = Math.min(left, mostBytes); ; size = Math.min(left, size * 4)) {
        const bytes = Buffer.allocUnsafe(size);
        const { bytesRead } = await handle.read(bytes, 0, size, segment.shipped);
        const read = readFrames(bytes.subarray(0, bytesRead), size === left);
        if (read.consumed > 0 || size === left) return { ...read, consumed: size === left ? left : read.consumed };
      }
    } finally {
      await handle.close();
    }
  }

  /** Takes over what processes have left that ended without shipping it. Of several that try, one gets each file. */
  async adopt(): Promise<void> {
    const { folder, logger } = this.options;
    // Other machines see by this that the process lives.
    await utimes(this.#own, new Date(), new Date());
    for (const owner of await readdir(folder)) {
      const left = join(folder, owner);
      if (left === this.#own || !(await isOrphaned(owner, left))) continue;
      const names = (await readdir(left)).filter((name) => name.endsWith(SPOOL_ENDING)).sort();
      for (const name of names) await this.#adoptFile(join(left, name));
      rmSync(left, { recursive: true, force: true });
      if (names.length > 0) logger.info({ owner, files: names.length }, 'took over what an ended process had spooled');
    }
  }

  async #adoptFile(from: string): Promise<void> {
    const path = join(this.#own, `adopted-${this.#adopted++}${SPOOL_ENDING}`);
    try {
      await rename(from, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#segments.unshift({ path, bytes: statSync(path).size, shipped: 0, rows: await countRows(path) });
  }

  /** Lets go of the files. What was not shipped stays on disk for the next process. */
  close(): void {
    if (this.#file !== undefined) {
      fdatasyncSync(this.#file);
      closeSync(this.#file);
      this.#file = undefined;
    }
    clearTimeout(this.#syncTimer);
    if (this.isEmpty) rmSync(this.#own, { recursive: true, force: true });
  }
}

const syncFile = (file: number) =>
  new Promise<void>((resolve, reject) => {
    fdatasync(file, (error) => (error ? reject(error) : resolve()));
  });

async function countRows(path: string): Promise<number> {
  const handle = await open(path, 'r');
  try {
    return readFrames(await handle.readFile(), true).frames.reduce((sum, { rows }) => sum + rows, 0);
  } finally {
    await handle.close();
  }
}
