import type { Logger } from '../telemetry/logger.js';
import type { Frame } from './frame.js';
import type { Spool } from './spool.js';

const LOOK_EVERY_MS = 200;
const LONGEST_PAUSE_MS = 2000;
const ADOPT_EVERY_MS = 5000;
const BATCH_BYTES = 2 ** 20;
/** Rows made of payloads that are not text, between two writes. */
const MOST_ROWS_EXPANDED = 1024;

export interface Destination {
  /** Writes rows, each a JSON text. Rows that are there already are left as they are. @throws when none of them was written */
  write: (rows: string[], span: { firstMs: number; lastMs: number }) => Promise<void>;
  /** Makes rows of a payload that is not text, in some milliseconds. @returns undefined for one that is */
  expand?: (payload: Buffer) => string[] | undefined;
  /** Whether a failure is about the rows: trying the same again would never help. */
  isOfRows: (error: unknown) => boolean;
}

export interface ShipperOptions {
  spool: Spool;
  destination: Destination;
  logger: Logger;
  /** Told of rows that have arrived, after the spool has let go of them. */
  onShipped: (rows: number) => void;
  onRefused: (rows: number, reason: string) => void;
}

/** Brings the rows of a spool to their destination, oldest first, for as long as the process runs. */
export class SpoolShipper {
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = LOOK_EVERY_MS;
  #shipping: Promise<void> | undefined;
  #adoptedMs = -Infinity;
  #isAway = false;
  #isStopped = false;
  /** Called after each batch. */
  readonly #waiters = new Set<() => void>();

  constructor(private readonly options: ShipperOptions) {}

  start(): void {
    this.#timer = setTimeout(() => void this.ship().finally(() => !this.#isStopped && this.start()), this.#pauseMs);
  }

  /** Ships all that waits. Returns when it has arrived, or when the destination is away. Never throws. */
  async ship(): Promise<void> {
    this.#shipping ??= this.#shipAll().finally(() => (this.#shipping = undefined));
    await this.#shipping;
  }

  /**
   * Ships what was spooled before the call, for a caller that is about to read it. What comes in meanwhile is not waited for: under a
   * steady load there is always more. Returns when it has arrived, or when the destination is away.
   */
  async flush(): Promise<void> {
    const isThrough = this.options.spool.mark();
    const shipTwice = async () => {
      await this.#shipping;
      if (!isThrough()) await this.ship();
    };
    await new Promise<void>((resolve) => {
      const waiter = () => {
        if (!isThrough()) return;
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
      waiter();
      void shipTwice().then(() => {
        this.#waiters.delete(waiter);
        resolve();
      });
    });
  }

  /** @returns once the last rows have arrived, or stay on disk for the next process because the destination is away */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#shipping;
    await this.ship();
    const { spool, logger } = this.options;
    if (!spool.isEmpty) logger.warn({ rows: spool.rows }, 'rows stay on disk; the next process ships them');
    spool.close();
  }

  async #shipAll(): Promise<void> {
    const { spool, logger } = this.options;
    try {
      if (performance.now() - this.#adoptedMs > ADOPT_EVERY_MS) {
        this.#adoptedMs = performance.now();
        await spool.adopt();
      }
      for (let batch = await spool.next(BATCH_BYTES); batch; batch = await spool.next(BATCH_BYTES)) {
        const arrived = await this.#write(batch.frames);
        batch.done();
        this.options.onShipped(arrived);
        for (const look of this.#waiters) look();
        this.#pauseMs = LOOK_EVERY_MS;
        if (this.#isAway) logger.info('spooled rows arrive again');
        this.#isAway = false;
      }
    } catch (error) {
      if (!this.#isAway) logger.warn({ err: error }, 'rows cannot be shipped at present; they wait on disk');
      this.#isAway = true;
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    }
  }

  /** @returns how many rows have arrived; the others were refused */
  async #write(frames: readonly Frame[]): Promise<number> {
    const span = {
      firstMs: Math.min(...frames.map(({ firstMs }) => firstMs)),
      lastMs: Math.max(...frames.map(({ lastMs }) => lastMs)),
    };
    let arrived = 0;
    let rows: string[] = [];
    for (const { payload } of frames) {
      const expanded = this.options.destination.expand?.(payload);
      rows = rows.concat(expanded ?? payload.toString('utf8').split('\n').filter(Boolean));
      if (rows.length < MOST_ROWS_EXPANDED || !expanded) continue;
      // What was expanded has taken its time of the event loop; others are let in by the wait for the database.
      arrived += await this.#writeRows(rows, span);
      rows = [];
    }
    return arrived + (await this.#writeRows(rows, span));
  }

  /** Rows that are refused are looked for by halves, so that one bad row costs itself only. */
  async #writeRows(rows: string[], span: { firstMs: number; lastMs: number }): Promise<number> {
    if (rows.length === 0) return 0;
    const { destination, logger, onRefused } = this.options;
    try {
      await destination.write(rows, span);
      return rows.length;
    } catch (error) {
      if (!destination.isOfRows(error)) throw error;
      if (rows.length > 1) {
        const middle = rows.length >> 1;
        const before = await this.#writeRows(rows.slice(0, middle), span);
        return before + (await this.#writeRows(rows.slice(middle), span));
      }
      logger.error({ err: error, row: rows[0]!.slice(0, 200) }, 'a row was refused and is lost');
      onRefused(1, error instanceof Error ? error.message : String(error));
      return 0;
    }
  }
}
