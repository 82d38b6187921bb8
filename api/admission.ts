import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.js';
import { batchOverload, type BatchTurns } from '../services/serving/batch-turns.js';
import type { Metrics } from '../services/telemetry/metrics.js';
import { HeldConnections } from './held-connections.js';
import { clientOf, type RateLimiter } from './rate-limiter.js';

/** The header by which a caller says how many milliseconds it waits for an answer. */
export const TIMEOUT_HEADER = 'x-timeout-ms';
/** Whoever watches the service must get an answer above all when it is too busy. */
export const ALWAYS_ANSWERED = /^\/(health|metrics)\b/;
const BATCH = /^[^?]*\/(batch|infer)(\?|$)/;

export interface AdmissionOptions {
  /** Milliseconds; 0 = however long. */
  maxWaitMs: number;
  rates: RateLimiter;
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

  readonly #held: HeldConnections;

  constructor(private readonly options: AdmissionOptions) {
    this.#held = new HeldConnections(options.maxWaitMs);
  }

  /**
   * Looks at a request before anything else is done for it, its headers and body included. A connection whose request has come too late, or
   * whose batch would have to wait too long for those before it, is not read for a while.
   * @returns why the request is not to be answered, or undefined
   */
  refuseAtOnce({ socket, url }: Pick<IncomingMessage, 'socket' | 'url'>): ServiceError | undefined {
    const { maxWaitMs, metrics, batchTurns } = this.options;
    if (maxWaitMs === 0 || ALWAYS_ANSWERED.test(url ?? '')) return undefined;
    const isBatch = BATCH.test(url ?? '');
    const waitedMs = this.#waitedMs(performance.now());
    this.#held.note(isBatch ? Math.max(waitedMs, batchTurns.waitMs) : waitedMs);
    const isLate = waitedMs > maxWaitMs;
    const isFull = isBatch && batchTurns.isFull;
    if (isLate || isFull) this.#held.hold(socket);
    else if (!this.#held.hasWaited(socket)) return undefined;
    metrics.requestsRefused.inc({ reason: 'overloaded' });
    return isFull && !isLate ? batchOverload(maxWaitMs) : overload(maxWaitMs);
  }

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
      this.options.rates.refuse(clientOf(caller, socket.remoteAddress ?? ''), nowMs) ??
      refuseLate(waitedMs, timeout) ??
      this.#refuseOverload(waitedMs) ??
      this.#refuseBatch(request.url ?? '');
    if (refusal) this.options.metrics.requestsRefused.inc({ reason: refusal.code });
    else {
      this.#admitted.add(request);
      this.#held.countAnswered();
    }
    return refusal;
  }

  /** Why a call of a route is one too many for its caller, whichever way it came; for routes with a rate of their own. */
  refuseRoute(caller: string | undefined, address: string, route: string): ServiceError | undefined {
    const refusal = this.options.rates.refuseRoute(clientOf(caller, address), route, performance.now());
    if (refusal) this.options.metrics.requestsRefused.inc({ reason: refusal.code });
    return refusal;
  }

  /**
   * Why a call that did not come over HTTP/1 is one too many for its caller.
   * @param route the one over HTTP that does the same: its rate is shared
   */
  refuseCall(caller: string | undefined, address: string, route: string): ServiceError | undefined {
    const refusal = this.options.rates.refuse(clientOf(caller, address), performance.now());
    if (!refusal) return this.refuseRoute(caller, address, route);
    this.options.metrics.requestsRefused.inc({ reason: refusal.code });
    return refusal;
  }

  limitsRoute(route: string): boolean {
    return this.options.rates.limitsRoute(route);
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
    return overload(maxWaitMs);
  }

  /** Before its body is read. */
  #refuseBatch(url: string): ServiceError | undefined {
    const { batchTurns, maxWaitMs } = this.options;
    return batchTurns.isFull && BATCH.test(url) ? batchOverload(maxWaitMs) : undefined;
  }
}

const overload = (maxWaitMs: number) =>
  new ServiceError(
    'overloaded',
    `The request would have waited longer than ${maxWaitMs} ms. Try again shortly.`,
    [],
    1,
  );

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
