import { ServiceError } from '../../core/errors.js';
import { retryDelaySeconds } from '../../core/policy/webhook-retry.js';
import { BackgroundLoop } from '../background-loop.js';
import { ChannelListener } from '../database/channel-listener.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import { within } from '../within.js';

/** A message that was claimed. */
export interface OutboxWork {
  id: string;
  /** Who gets it: at most one message is under way to each. */
  receiver: string;
  /** With this one. */
  attempts: number;
}

export interface DeliveryAttempt {
  /** When it began. */
  at: Date;
  statusCode: number | null;
  latencyMs: number;
  error: string | null;
}

/** What becomes of a message after an attempt. */
export type DeliveryFate =
  { state: 'delivered' | 'dead'; finishedAt: Date; nextAttemptAt: null } | { nextAttemptAt: Date };

/** One kind of messages: where they are kept, and how they are sent. */
export interface Outbox<Work extends OutboxWork> {
  /** The channel on which new messages are told. */
  channel: string;
  /** What the fail point after a sent message is called. */
  failPoint: string;
  /** The oldest due message of each receiver that is not busy; no two processes get the same one until the lease is over. */
  claim(busy: readonly string[], most: number, leaseSeconds: number): Promise<Work[]>;
  /** @returns the status that the receiver answered @throws Error when it cannot be reached */
  send(work: Work): Promise<number>;
  /** Only while the message is still claimed by this attempt. */
  record(work: Work, attempt: DeliveryAttempt, fate: DeliveryFate): Promise<void>;
}

/** Besides the notifications the outbox is looked at this often: for what is due again. */
const POLL_MS = 1000;
/** Messages under way at once, at most one to a receiver: one that hangs holds up no other. */
const MOST_AT_ONCE = 16;
/** Who has claimed a message has this long to say what came of it; then another may claim it. Longer than an attempt can take. */
const LEASE_SECONDS = 20;
const STOP_MS = 2000;

/**
 * Sends what an outbox holds, at least once, whoever dies meanwhile: a claim is written before the message is sent, its result after,
 * and a claim without a result lapses. Any number of processes may do so.
 */
export class OutboxDeliverer<Work extends OutboxWork> {
  readonly #busy = new Map<string, Promise<void>>();
  readonly #listener: ChannelListener;
  readonly #claiming: BackgroundLoop;

  constructor(
    private readonly outbox: Outbox<Work>,
    private readonly context: { databaseUrl: string; logger: Logger; failPoint: FailPoint },
  ) {
    this.#claiming = new BackgroundLoop({
      look: () => this.#claim(),
      everyMs: POLL_MS,
      problem: 'the outbox cannot be read at present',
      logger: context.logger,
    });
    this.#listener = new ChannelListener({
      ...context,
      channel: outbox.channel,
      onNotice: () => this.#claiming.look(),
    });
  }

  start(): void {
    void this.#listener.start();
    this.#claiming.start();
  }

  /** Waits a little for what is under way; what is not answered by then is sent again by the next process. */
  async stop(): Promise<void> {
    await Promise.all([this.#listener.stop(), this.#claiming.stop()]);
    await within(STOP_MS, Promise.all(this.#busy.values())).catch((error: unknown) =>
      this.context.logger.debug({ err: error }, 'a receiver has not answered by the end'),
    );
  }

  async #claim(): Promise<void> {
    if (this.#busy.size >= MOST_AT_ONCE) return;
    const claimed = await this.outbox.claim([...this.#busy.keys()], MOST_AT_ONCE - this.#busy.size, LEASE_SECONDS);
    for (const one of claimed) {
      const work = this.#deliver(one).finally(() => {
        this.#busy.delete(one.receiver);
        this.#claiming.look();
      });
      this.#busy.set(one.receiver, work);
    }
  }

  async #deliver(work: Work): Promise<void> {
    const { logger } = this.context;
    const attempt = await this.#attempt(work);
    this.context.failPoint(this.outbox.failPoint);
    const fate = fateOf(work.attempts, attempt, Date.now());
    try {
      await this.outbox.record(work, attempt, fate);
      if ('state' in fate && fate.state === 'dead')
        logger.warn({ delivery_id: work.id, attempts: work.attempts }, 'a message could not be delivered');
    } catch (error) {
      // The claim lapses, and the message is sent once more.
      logger.warn({ err: error, delivery_id: work.id }, 'the result of a delivery cannot be written');
    }
  }

  async #attempt(work: Work): Promise<DeliveryAttempt> {
    const at = new Date();
    const startMs = performance.now();
    const latencyMs = () => Math.round(performance.now() - startMs);
    try {
      const statusCode = await this.outbox.send(work);
      return { at, statusCode, latencyMs: latencyMs(), error: describeStatus(statusCode) };
    } catch (error) {
      return { at, statusCode: null, latencyMs: latencyMs(), error: describeFailure(error) };
    }
  }
}

function fateOf(attempts: number, { error }: DeliveryAttempt, nowMs: number): DeliveryFate {
  if (error === null) return { state: 'delivered', finishedAt: new Date(nowMs), nextAttemptAt: null };
  const delaySeconds = retryDelaySeconds(attempts, Math.random());
  return delaySeconds === undefined
    ? { state: 'dead', finishedAt: new Date(nowMs), nextAttemptAt: null }
    : { nextAttemptAt: new Date(nowMs + delaySeconds * 1000) };
}

function describeStatus(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `The receiver answered ${status}; redirects are not followed.`;
  return `The receiver answered ${status}.`;
}

/** What a sender may know: never an address of the network behind the service. */
function describeFailure(error: unknown): string {
  if (error instanceof ServiceError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code ? `The receiver cannot be reached (${code}).` : message;
}
