import { createHash } from 'node:crypto';
import { createRedisClient, type RedisAddress } from '../network/redis-client.js';
import type { Logger } from '../telemetry/logger.js';
import { withoutCredentials } from '../telemetry/redact.js';

/** What one process has counted is known to all after at most this long. */
const TELL_EVERY_MS = 100;
const ANSWER_WITHIN_MS = 1000;
const PREFIX = 'mlops:rate:';
const MOST_KEYS = 50_000;

interface Count {
  /** Number of the window that it is of. */
  window: number;
  windowSeconds: number;
  /** Taken here, and what of that Redis knows. */
  own: number;
  told: number;
  /** Taken by the other processes, as far as is known. */
  others: number;
}

/**
 * Counts of requests by window that all processes share over Redis. A request never waits for Redis: it goes by what is known here, and every tenth of a
 * second the processes tell each other. Over a limit may come what arrives in that time; while Redis is away each process goes by its share.
 */
export class SharedCounts {
  readonly #client;
  readonly #counts = new Map<string, Count>();
  readonly #timer: NodeJS.Timeout;
  #telling = false;
  isUp = false;

  constructor(private readonly options: { redis: RedisAddress; logger: Logger }) {
    this.#client = createRedisClient(options.redis, { connectMs: ANSWER_WITHIN_MS, longestWaitMs: 5000 });
    this.#client.on('error', (error: unknown) => this.#fail(error));
    this.#client.on('ready', () => (this.isUp = true));
    this.#connect();
    this.#timer = setInterval(() => void this.#tell(), TELL_EVERY_MS);
    this.#timer.unref();
  }

  /** Counts one more. @returns false, and counts nothing, where the window has as many already */
  take(key: string, { most, windowSeconds }: { most: number; windowSeconds: number }): boolean {
    const window = Math.floor(Date.now() / 1000 / windowSeconds);
    let count = this.#counts.get(key);
    if (count?.window !== window) {
      count = { window, windowSeconds, own: 0, told: 0, others: 0 };
      this.#counts.delete(key);
      this.#counts.set(key, count);
      if (this.#counts.size > MOST_KEYS) this.#counts.delete(this.#counts.keys().next().value!);
    }
    if (count.own + count.others >= most) return false;
    count.own++;
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#client.isOpen) this.#client.destroy();
  }

  /** Tells what is new of the windows that are open, and hears the sums. */
  async #tell(): Promise<void> {
    if (!this.#client.isOpen) this.#connect();
    if (this.#telling || !this.isUp) return;
    this.#telling = true;
    try {
      const now = Date.now() / 1000;
      const open = [...this.#counts].filter(
        ([, { window, windowSeconds }]) => window === Math.floor(now / windowSeconds),
      );
      await Promise.all(open.map(([key, count]) => this.#tellOne(key, count)));
      if (open.length < this.#counts.size)
        for (const [key, { window, windowSeconds }] of this.#counts)
          if (window < Math.floor(now / windowSeconds)) this.#counts.delete(key);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#telling = false;
    }
  }

  async #tellOne(key: string, count: Count): Promise<void> {
    const fresh = count.own - count.told;
    const name = `${PREFIX}${createHash('sha256').update(key).digest('base64url')}:${count.window}`;
    const [sum] = await this.#client
      .multi()
      .incrBy(name, fresh)
      .expire(name, count.windowSeconds + 5)
      .exec();
    count.told += fresh;
    count.others = Number(sum) - count.told;
  }

  #connect(): void {
    this.#client.connect().catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (this.isUp)
      this.options.logger.warn(
        { reason: withoutCredentials(error instanceof Error ? error.message : String(error)) },
        'Redis cannot be used at present; each process holds callers to its share of their rates',
      );
    this.isUp = false;
  }
}
