import { ServiceError } from '../../core/errors.js';
import { retryDelaySeconds } from '../../core/policy/webhook-retry.js';
import { ChannelListener } from '../database/channel-listener.js';
import type { Database } from '../database/database.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import { within } from '../within.js';
import { findReceiver } from './find-receiver.js';
import { postMessage } from './post-message.js';
import { signMessage } from './sign-message.js';
import { WEBHOOKS_CHANNEL } from './webhook-store.js';

interface Claimed {
  id: string;
  webhook_id: string;
  message_id: string;
  body: string;
  attempts: number;
  url: string;
  secret: string;
}

interface Attempt {
  /** When it began. */
  at: Date;
  statusCode: number | null;
  latencyMs: number;
  error: string | null;
}

/** Besides the notifications the outbox is looked at this often: for what is due again. */
const POLL_MS = 1000;
/** Messages under way at once, at most one to a webhook: one that hangs holds up no other. */
const MOST_AT_ONCE = 16;
/** Who has claimed a delivery has this long to say what came of it; then another may claim it. Longer than an attempt can take. */
const LEASE_SECONDS = 20;
const STOP_MS = 2000;
const RETAIN_EVERY_MS = 3_600_000;
const RETENTION_DAYS = 30;

/** The oldest due delivery of each webhook that is not busy; two processes never claim the same one. */
const CLAIM = `UPDATE webhook_deliveries d SET attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => ${LEASE_SECONDS})
  FROM (SELECT due.id, w.url, s.secret FROM webhooks w JOIN webhook_secrets s ON s.webhook_id = w.id
    CROSS JOIN LATERAL (SELECT id FROM webhook_deliveries
      WHERE webhook_id = w.id AND state = 'pending' AND next_attempt_at <= now()
      ORDER BY next_attempt_at, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) due
    WHERE w.id <> ALL($1) LIMIT $2) claimed
  WHERE d.id = claimed.id
  RETURNING d.id, d.webhook_id, d.message_id, d.body, d.attempts, claimed.url, claimed.secret`;

/**
 * Sends what the outbox holds, at least once, whoever dies meanwhile: a claim is written before the message is sent, its result after,
 * and a claim without a result lapses. Any number of processes may do so.
 */
export class WebhookDeliverer {
  readonly #busy = new Map<string, Promise<void>>();
  readonly #listener: ChannelListener;
  #timers: NodeJS.Timeout[] = [];
  #claiming: Promise<void> | undefined;
  #isAskedAgain = false;
  #isStopped = false;

  constructor(
    private readonly context: {
      database: Database;
      databaseUrl: string;
      logger: Logger;
      allowedHosts: readonly string[];
      failPoint: FailPoint;
    },
  ) {
    this.#listener = new ChannelListener({ ...context, channel: WEBHOOKS_CHANNEL, onNotice: () => this.#look() });
  }

  start(): void {
    this.#timers = [setInterval(() => this.#look(), POLL_MS), setInterval(() => void this.#retain(), RETAIN_EVERY_MS)];
    void this.#listener.start();
    this.#look();
  }

  /** Waits a little for what is under way; what is not answered by then is sent again by the next process. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timers.forEach((timer) => clearInterval(timer));
    await this.#listener.stop();
    await this.#claiming;
    await within(STOP_MS, Promise.all(this.#busy.values())).catch((error: unknown) =>
      this.context.logger.debug({ err: error }, 'a receiver has not answered by the end'),
    );
  }

  /** Calls that come while one runs are joined into one more. */
  #look(): void {
    this.#isAskedAgain = true;
    this.#claiming ??= this.#claimUntilQuiet()
      .catch((error: unknown) => this.context.logger.debug({ err: error }, 'the outbox cannot be read at present'))
      .finally(() => (this.#claiming = undefined));
  }

  async #claimUntilQuiet(): Promise<void> {
    while (this.#isAskedAgain && !this.#isStopped && this.#busy.size < MOST_AT_ONCE) {
      this.#isAskedAgain = false;
      const values = [[...this.#busy.keys()], MOST_AT_ONCE - this.#busy.size];
      const { rows } = await this.context.database.pool.query<Claimed>(CLAIM, values);
      for (const claimed of rows) {
        const work = this.#deliver(claimed).finally(() => {
          this.#busy.delete(claimed.webhook_id);
          this.#look();
        });
        this.#busy.set(claimed.webhook_id, work);
      }
    }
  }

  async #deliver(claimed: Claimed): Promise<void> {
    const attempt = await this.#attempt(claimed);
    this.context.failPoint('webhook:after-send');
    try {
      await this.#record(claimed, attempt);
    } catch (error) {
      // The claim lapses, and the message is sent once more.
      this.context.logger.warn({ err: error, delivery_id: claimed.id }, 'the result of a delivery cannot be written');
    }
  }

  async #attempt({ message_id: id, body, url, secret }: Claimed): Promise<Attempt> {
    const at = new Date();
    const startMs = performance.now();
    const latencyMs = () => Math.round(performance.now() - startMs);
    try {
      const receiver = await findReceiver(url, this.context.allowedHosts);
      const headers = signMessage({ id, body }, { secret, nowMs: Date.now() });
      const statusCode = await postMessage(receiver, { headers, body });
      return { at, statusCode, latencyMs: latencyMs(), error: describeStatus(statusCode) };
    } catch (error) {
      return { at, statusCode: null, latencyMs: latencyMs(), error: describeFailure(error) };
    }
  }

  async #record({ id, attempts, webhook_id: webhookId }: Claimed, attempt: Attempt): Promise<void> {
    const { prisma } = this.context.database;
    const isDelivered = attempt.error === null;
    const delaySeconds = isDelivered ? undefined : retryDelaySeconds(attempts, Math.random());
    const now = Date.now();
    const data =
      delaySeconds === undefined
        ? { state: isDelivered ? 'delivered' : 'dead', finishedAt: new Date(now), nextAttemptAt: null }
        : { nextAttemptAt: new Date(now + delaySeconds * 1000) };
    await prisma.$transaction(async (transaction) => {
      // Not if it was asked for again, or lapsed, meanwhile. One whose webhook was deleted is gone.
      const { count } = await transaction.webhookDelivery.updateMany({
        where: { id, attempts, state: 'pending' },
        data,
      });
      if (count > 0) await transaction.webhookAttempt.create({ data: { deliveryId: id, ...attempt } });
    });
    if (data.state === 'dead')
      this.context.logger.warn(
        { delivery_id: id, webhook_id: webhookId, attempts },
        'a webhook could not be delivered',
      );
  }

  async #retain(): Promise<void> {
    const before = new Date(Date.now() - RETENTION_DAYS * 86_400_000);
    await this.context.database.prisma.webhookDelivery
      .deleteMany({ where: { finishedAt: { lt: before } } })
      .catch((error: unknown) =>
        this.context.logger.debug({ err: error }, 'old deliveries cannot be removed at present'),
      );
  }
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
