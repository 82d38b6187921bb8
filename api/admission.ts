import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.js';
import { batchOverload, type BatchTurns } from '../services/serving/batch-turns.js';
import type { Metrics } from '../services/telemetry/metrics.js';

/** The header by which a caller says how many milliseconds it waits for an answer. */
export const TIMEOUT_HEADER = 'x-timeout-ms';
const MOST_CLIENTS = 50_000;
const BATCH = /^[^?]*\/(batch|infer)(\?|$)/;

export interface AdmissionOptions {
  /** Milliseconds; 0 = however long. */
  maxWaitMs: number;
  /** Requests a second of one caller, or of one address of callers without a name, in bursts of up to as many; 0 = no limit. */
  rateLimit: number;
  batchTurns: BatchTurns;
  metrics: Metrics;
}

/**
 * Decides, before any work is done for it, whether a request is answered. All requests that the system hands over in one turn of
 * the event loop have waited for those before them in it; once that takes too long, the rest of the turn is told to come back:
 * work that is finished after its caller has given up helps nobody, and keeps the next from being answered in time.
 */
export class Admission {
  #turnBeganMs: number | undefined;
  /** A request that the direct way hands on was looked at already. */
  readonly #admitted = new WeakSet<object>();
  /** By caller or address: when its allowance is full again (the theoretical arrival time of the generic cell rate algorithm). */
  readonly #fullAtMs = new Map<string, number>();

  constructor(private readonly options: AdmissionOptions) {}

  /**
   * @param caller the name of one that has signed in
   * @returns why the request is not to be answered, or undefined
   */
  refuse(request: Pick<IncomingMessage, 'socket' | 'headers' | 'url'>, caller?: string): ServiceError | undefined {
    if (this.#admitted.has(request)) return undefined;
    const { socket, headers } = request;
    const nowMs = performance.now();
    const waitedMs = this.#waitedMs(nowMs);
    const timeout = headers[TIMEOUT_HEADER] as string | undefined;
    const refusal =
      this.#refuseFrequent(caller, socket.remoteAddress ?? '', nowMs) ??
      refuseLate(waitedMs, timeout) ??
      this.#refuseOverload(waitedMs) ??
      this.#refuseBatch(request.url ?? '');
    if (refusal) this.options.metrics.requestsRefused.inc({ reason: refusal.code });
    else this.#admitted.add(request);
    return refusal;
  }

  #waitedMs(nowMs: number): number {
    if (this.#turnBeganMs === undefined) {
      this.#turnBeganMs = nowMs;
      setImmediate(() => (this.#turnBeganMs = undefined));
    }
    return nowMs - this.#turnBeganMs;
  }

  #refuseOverload(waitedMs: number): ServiceError | undefined {
    const { maxWaitMs } = this.options;
    if (maxWaitMs === 0 || waitedMs <= maxWaitMs) return undefined;
    return new ServiceError(
      'overloaded',
      `The request would have waited longer than ${maxWaitMs} ms. Try again shortly.`,
      [],
      1,
    );
  }

  /** Before its body is read. */
  #refuseBatch(url: string): ServiceError | undefined {
    const { batchTurns, maxWaitMs } = this.options;
    return batchTurns.isFull && BATCH.test(url) ? batchOverload(maxWaitMs) : undefined;
  }

  #refuseFrequent(caller: string | undefined, address: string, nowMs: number): ServiceError | undefined {
    const { rateLimit } = this.options;
    if (rateLimit === 0) return undefined;
    // An address has no blank in it.
    const client = caller === undefined ? address : `caller ${caller}`;
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(client) ?? 0) + 1000 / rateLimit;
    if (fullAtMs - nowMs > 1000 + 1e-6)
      return new ServiceError(
        'rate_limited',
        `More than ${rateLimit} requests a second came from ${caller === undefined ? 'this address' : 'this caller'}.`,
        [],
        1,
      );
    this.#fullAtMs.delete(client);
    this.#fullAtMs.set(client, fullAtMs);
    if (this.#fullAtMs.size > MOST_CLIENTS) this.#fullAtMs.delete(this.#fullAtMs.keys().next().value!);
    return undefined;
  }
}

/** A caller that waits no longer gets no work done. @returns undefined while it waits, or when it does not say how long */
function refuseLate(waitedMs: number, timeout: string | undefined): ServiceError | undefined {
  if (timeout === undefined) return undefined;
  const timeoutMs = readTimeout(timeout);
  if (timeoutMs === undefined)
    return new ServiceError(
      'request_malformed',
      'X-Timeout-Ms must be a whole number of milliseconds from 1 to 3600000.',
    );
  return waitedMs > timeoutMs ? deadlineExceeded(timeoutMs) : undefined;
}

export const deadlineExceeded = (timeoutMs: number) =>
  new ServiceError('deadline_exceeded', `The request had not been answered after the ${timeoutMs} ms of X-Timeout-Ms.`);

/** @returns undefined for what is no whole number of milliseconds up to an hour */
export function readTimeout(timeout: string): number | undefined {
  const ms = /^\d{1,7}$/.test(timeout) ? Number(timeout) : 0;
  return ms >= 1 && ms <= 3_600_000 ? ms : undefined;
}
