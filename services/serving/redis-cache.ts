import { createHash } from 'node:crypto';
import { createRedisClient, type RedisAddress } from '../network/redis-client.js';
import { type Logger } from '../telemetry/logger.js';
import { withoutCredentials } from '../telemetry/redact.js';
import { within } from '../within.js';
import { CircuitBreaker } from './circuit-breaker.js';

/** A prediction waits no longer than this for what another process may know. */
const PATIENCE_MS = 5;
const PROBE_MS = 1000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
const PREFIX = 'mlops:prediction:';

/**
 * Texts by key in Redis, for all processes. A Redis that is slow or away costs those who wait for it at that moment 5 ms at most;
 * from then on nobody asks it, until a probe in the background finds that it answers again.
 */
export class RedisCache {
  readonly #client;
  readonly #breaker: CircuitBreaker;
  /** All who wait at present: the first that waited too long sends them all on. */
  readonly #waiting = new Set<(text: string | undefined) => void>();
  #isToldAway = false;

  constructor(
    private readonly options: {
      redis: RedisAddress;
      ttlSeconds: number;
      logger: Logger;
      onChange: (isUp: boolean) => void;
    },
  ) {
    this.#client = createRedisClient(options.redis, { connectMs: PROBE_MS, longestWaitMs: LONGEST_WAIT_MS });
    this.#client.on('error', (error: unknown) => this.#fail(error));
    this.#breaker = new CircuitBreaker({
      probe: () => this.#probe(),
      firstWaitMs: FIRST_WAIT_MS,
      longestWaitMs: LONGEST_WAIT_MS,
    });
    // Not in use before the first probe has found it.
    options.onChange(false);
    this.#breaker.fail();
  }

  /** Whether it is worth asking. */
  get isUp(): boolean {
    return this.#breaker.isClosed;
  }

  /** @returns undefined for what it does not know, and when it does not answer in time */
  get(key: string): Promise<string | undefined> {
    if (!this.isUp) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#fail(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
      const finish = (text: string | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(finish);
        resolve(text);
      };
      this.#waiting.add(finish);
      this.#client.get(nameOf(key)).then(
        (text) => finish(text ?? undefined),
        (error: unknown) => this.#fail(error),
      );
    });
  }

  /** Keeps a text for its time. Nobody waits for that, and nobody is told when it fails. */
  set(key: string, text: string): void {
    if (!this.isUp) return;
    this.#client.setEx(nameOf(key), this.options.ttlSeconds, text).catch((error: unknown) => this.#fail(error));
  }

  /** @throws Error when it does not answer within a second */
  async ping(): Promise<void> {
    if (!this.#client.isReady) throw new Error('not connected');
    await within(PROBE_MS, this.#client.ping());
  }

  close(): void {
    this.#breaker.stop();
    this.#release();
    if (this.#client.isOpen) this.#client.destroy();
  }

  #fail(error: unknown): void {
    if (!this.#isToldAway)
      this.options.logger.warn(
        { reason: withoutCredentials(error instanceof Error ? error.message : String(error)) },
        'Redis cannot be used at present; predictions are cached in this process only',
      );
    this.#isToldAway = true;
    this.options.onChange(false);
    this.#breaker.fail();
    this.#release();
  }

  #release(): void {
    for (const finish of this.#waiting) finish(undefined);
  }

  async #probe(): Promise<void> {
    try {
      // A wrong password ends the client; a lost connection it mends by itself.
      if (!this.#client.isOpen) await this.#client.connect();
      await this.ping();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
    if (this.#isToldAway) this.options.logger.info('Redis is used again');
    this.#isToldAway = false;
    this.options.onChange(true);
  }
}

/** Keys are long, and may hold what a person would not want in a list of keys. */
const nameOf = (key: string) => PREFIX + createHash('sha256').update(key).digest('base64url');
