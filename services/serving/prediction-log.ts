import { join } from 'node:path';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Frame } from '../spool/frame.js';
import { Spool, type SpoolState } from '../spool/spool.js';
import { SpoolShipper } from '../spool/ship-spool.js';
import { encodeColumns, expandColumns, isColumnFrame, type LoggedColumns } from './column-frame.js';
import { newIdRange, newPredictionId } from './prediction-id.js';
import { predictionLine } from './prediction-line.js';
import type { PredictionStore } from './prediction-store.js';

/** What is kept of one prediction. */
export interface PredictionRow {
  entityId?: string;
  features: object;
  predictions: object;
  latencyUs: number;
  cached: boolean;
  /** Who asked. */
  caller?: string;
  /** Why the version of the arm gave no answer. */
  error?: string;
  /** Of a shadow: the prediction that was answered. */
  shadowOf?: string;
}

/** The part that a prediction had in a rollout or an experiment. */
export interface Cohort {
  trialId: string;
  /** Of a rollout `candidate`, `baseline`, `rest` or `shadow`; of an experiment the name of the arm. */
  arm: string;
  /** Of an experiment: the chance with which the arm was drawn, and of an adaptive one from which batch and context. */
  propensity?: number;
  stratum?: string;
}

/** What many predictions of a call have in common. */
export interface PredictionCall {
  model: string;
  version: string;
  correlationId: string;
  cohort?: Cohort;
}

/** Characters that are written at once, when one turn of the event loop has more than this. */
const FRAME_CHARACTERS = 2 ** 20;
/** Rows that came as columns and are written at once: to ship them takes some milliseconds of the event loop. */
const FRAME_ROWS = 1024;

export interface PredictionLogOptions {
  stateDir: string;
  spoolMegabytes: number;
  store: PredictionStore;
  logger: Logger;
  metrics: Metrics;
}

/**
 * Keeps each prediction that was answered. The rows of one turn of the event loop go to a file together before their answers go
 * out, so that a kill between the two loses nothing; from there they are shipped to the database within a second, or whenever it
 * is back. In the database a row is there once, however often it was shipped.
 */
export class PredictionLog {
  readonly #spool: Spool;
  readonly #shipper: SpoolShipper;
  readonly #metrics: Metrics;
  #lines = '';
  #rows = 0;
  #nowMs = 0;
  #waiting: (() => void)[] = [];
  #isScheduled = false;

  constructor({ stateDir, spoolMegabytes, store, logger, metrics }: PredictionLogOptions) {
    this.#metrics = metrics;
    const lose = (rows: number, reason: string) => {
      metrics.logDropped.inc(rows);
      logger.error({ rows, reason }, 'logged predictions were lost');
    };
    this.#spool = new Spool({
      folder: join(stateDir, 'spool', 'predictions'),
      mostBytes: spoolMegabytes * 2 ** 20,
      logger,
      onLost: lose,
    });
    this.#shipper = new SpoolShipper({
      spool: this.#spool,
      destination: { ...store, expand: (payload) => (isColumnFrame(payload) ? expandColumns(payload) : undefined) },
      logger,
      onShipped: (rows) => {
        metrics.logWritten.inc(rows);
        metrics.logBuffered.set(this.#spool.rows);
      },
      onRefused: lose,
    });
    this.#shipper.start();
  }

  /**
   * Takes a row. It is on disk once `afterWrite` calls back.
   * @returns the id of the prediction
   */
  add(call: PredictionCall, row: PredictionRow): string {
    // One time for all rows of a turn.
    if (!this.#isScheduled) this.#schedule();
    const id = newPredictionId(this.#nowMs);
    this.#lines += predictionLine(id, this.#nowMs, call, {
      ...row,
      features: JSON.stringify(row.features),
      predictions: JSON.stringify(row.predictions),
    });
    this.#rows += 1;
    if (this.#lines.length > FRAME_CHARACTERS) this.#write();
    return id;
  }

  /**
   * Takes the rows of a call that came as columns. They are on disk once `afterWrite` calls back.
   * @returns what their ids begin with; see `idInRange`
   */
  addColumns(call: PredictionCall, columns: LoggedColumns): string {
    if (!this.#isScheduled) this.#schedule();
    const createdMs = this.#nowMs;
    const idPrefix = newIdRange(createdMs);
    for (let start = 0; start < columns.rows; start += FRAME_ROWS) {
      const end = Math.min(columns.rows, start + FRAME_ROWS);
      const payload = encodeColumns(call, { idPrefix, createdMs }, columns, start, end);
      this.#append({ rows: end - start, firstMs: createdMs, lastMs: createdMs, payload });
    }
    return idPrefix;
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.#nowMs = Date.now();
    setImmediate(() => {
      this.#isScheduled = false;
      this.#write();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const proceed of waiting) proceed();
    });
  }

  #write(): void {
    if (this.#rows === 0) return;
    const frame = {
      rows: this.#rows,
      firstMs: this.#nowMs,
      lastMs: this.#nowMs,
      payload: Buffer.from(this.#lines, 'utf8'),
    };
    this.#lines = '';
    this.#rows = 0;
    this.#append(frame);
  }

  #append(frame: Frame): void {
    this.#spool.append(frame);
    this.#metrics.logBuffered.set(this.#spool.rows);
  }

  /** Calls back at the end of this turn, when all rows so far are on disk. Answers are sent from here. */
  afterWrite(proceed: () => void): void {
    if (!this.#isScheduled) this.#schedule();
    this.#waiting.push(proceed);
  }

  /** @returns when all rows so far are on disk */
  written(): Promise<void> {
    return new Promise((resolve) => this.afterWrite(resolve));
  }

  /** Brings all rows so far to the database; those that cannot be written stay on disk. */
  async flush(): Promise<void> {
    this.#write();
    await this.#shipper.flush();
  }

  /** Brings all rows to the database and takes them from the disk. @returns how many still wait */
  async forget(): Promise<number> {
    await this.flush();
    this.#spool.forgetShipped();
    return this.#spool.rows;
  }

  /** What waits on disk in this process. */
  get spooled(): SpoolState {
    return this.#spool.state();
  }

  async stop(): Promise<void> {
    this.#write();
    await this.#shipper.stop();
  }
}
