import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { SpoolShipper } from '../spool/ship-spool.js';
import { Spool, type SpoolState } from '../spool/spool.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { eventLine } from './event-line.js';
import type { EventStore } from './event-store.js';
import { splitLines } from './split-lines.js';
import { readEvent } from './read-event.js';

/** Problems that are listed of one stream; all of them are counted. */
const MOST_LISTED = 1000;

export interface RejectedEvent extends FieldProblem {
  /** Counting from 1. */
  line: number;
}

export interface IntakeResult {
  /** Events that are on the disk. One that was there before is accepted again, and kept once. */
  accepted: number;
  rejected: number;
  problems: RejectedEvent[];
}

export interface EventIntakeOptions {
  stateDir: string;
  spoolBytes: number;
  store: EventStore;
  logger: Logger;
  metrics: Metrics;
}

/**
 * Takes events. They are written to a file as they come and forced to the disk before they are acknowledged, many at a time by one sync; from
 * there they go to the database, which knows an event that it has seen. So a kill or a loss of power loses nothing that was acknowledged.
 */
export class EventIntake {
  readonly #spool: Spool;
  readonly #shipper: SpoolShipper;

  constructor(private readonly options: EventIntakeOptions) {
    const { stateDir, store, logger, metrics } = options;
    const lose = (rows: number, reason: string) => logger.error({ rows, reason }, 'events were not kept');
    this.#spool = new Spool({
      folder: join(stateDir, 'spool', 'events'),
      // What was acknowledged is never given up: beyond the bound no more is taken.
      mostBytes: Infinity,
      logger,
      onLost: lose,
    });
    this.#shipper = new SpoolShipper({
      spool: this.#spool,
      destination: store,
      logger,
      onShipped: () => metrics.eventsWaiting.set(this.#spool.rows),
      onRefused: lose,
    });
    this.#shipper.start();
  }

  /**
   * Takes one event.
   * @throws ServiceError `request_invalid` with its problems; `dependency_unavailable` when the disk cannot take it
   */
  async takeOne(dataType: string, bytes: Uint8Array): Promise<IntakeResult> {
    const event = readEvent(bytes);
    if (Array.isArray(event)) {
      this.options.metrics.eventsRejected.inc();
      const [first] = event;
      throw new ServiceError('request_invalid', `The event is not possible: ${first?.path} ${first?.message}.`, event);
    }
    this.#append([eventLine({ dataType, ...event, receivedMs: Date.now() })]);
    await this.#settle(1);
    return { accepted: 1, rejected: 0, problems: [] };
  }

  /**
   * Takes a stream of events, one a line; a bad line costs itself only.
   * @returns once all good ones are on the disk
   * @throws ServiceError `dependency_unavailable` when the disk cannot take more: send the stream again, what was taken is known by its ids
   */
  async takeStream(dataType: string, body: AsyncIterable<Uint8Array>): Promise<IntakeResult> {
    const result: IntakeResult = { accepted: 0, rejected: 0, problems: [] };
    for await (const lines of splitLines(body)) {
      const receivedMs = Date.now();
      const taken: string[] = [];
      for (const { number, bytes } of lines) {
        const event = readEvent(bytes);
        if (!Array.isArray(event)) {
          taken.push(eventLine({ dataType, ...event, receivedMs }));
          continue;
        }
        result.rejected += 1;
        for (const problem of event)
          if (result.problems.length < MOST_LISTED) result.problems.push({ line: number, ...problem });
      }
      this.#append(taken);
      result.accepted += taken.length;
    }
    this.options.metrics.eventsRejected.inc(result.rejected);
    await this.#settle(result.accepted);
    return result;
  }

  #append(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const nowMs = Date.now();
    const payload = Buffer.from(lines.join(''), 'utf8');
    const isFull = this.#spool.bytes + payload.length > this.options.spoolBytes;
    if (isFull || !this.#spool.append({ rows: lines.length, firstMs: nowMs, lastMs: nowMs, payload }))
      throw unavailable('Events wait on disk for the database, and there is no room for more.');
    this.options.metrics.eventsWaiting.set(this.#spool.rows);
  }

  async #settle(events: number): Promise<void> {
    try {
      await this.#spool.synced();
    } catch (error) {
      this.options.logger.error({ err: error }, 'events could not be forced to the disk');
      throw unavailable('The disk could not take the events.');
    }
    this.options.metrics.eventsTaken.inc(events);
  }

  /** Brings what this process has taken to the database and takes it from the disk. Never throws. @returns how many events still wait */
  async forget(): Promise<number> {
    await this.#shipper.flush();
    this.#spool.forgetShipped();
    return this.#spool.rows;
  }

  /** What waits on disk in this process. */
  get spooled(): SpoolState {
    return this.#spool.state(this.options.spoolBytes);
  }

  stop(): Promise<void> {
    return this.#shipper.stop();
  }
}

const unavailable = (message: string) =>
  new ServiceError('dependency_unavailable', `${message} Try again shortly.`, [], 5);
