import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisClient, type RedisAddress } from '../network/redis-client.js';
import { type Logger } from '../telemetry/logger.js';
import { withoutCredentials } from '../telemetry/redact.js';
import { CircuitBreaker } from '../serving/circuit-breaker.js';
import { within } from '../within.js';

/** A lookup waits no longer than this before PostgreSQL is asked instead, and a lookup of many entities a little longer for each. */
const PATIENCE_MS = 20;
const PATIENCE_MS_AN_ENTITY = 0.1;
/** Writing is work in the background. */
const WRITE_PATIENCE_MS = 10_000;
const PROBE_MS = 1000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** Which materialization of each view this Redis has in full. */
const MARKERS = 'mlops:feature-views';
const PREFIX = 'mlops:feature:';
/** Entities may be persons: their names are not in the list of keys. */
const keyOf = (entity: string) => PREFIX + createHash('sha256').update(entity).digest('base64url');
const DAY_S = 86_400;

/** A view as Redis has it: rows of one generation replace those of another. */
export interface RedisView {
  view: string;
  version: number;
  /** The materialization that is current. */
  materialization: string;
  /** The last full one before it, or itself. */
  generation: string;
}
export interface StoredRow {
  entity: string;
  eventUs: number;
  content: string;
}

const fieldOf = ({ view, generation }: Pick<RedisView, 'view' | 'generation'>) => `${view}:${generation}`;

/** The online store in Redis: a hash an entity, a field a view, read in one pipeline. PostgreSQL has all of it, too. */
export class RedisFeatures {
  readonly #client;
  readonly #breaker: CircuitBreaker;
  #isToldAway = false;

  /** @param options.patienceMs how long a lookup of one entity waits for Redis; 20 ms by default */
  constructor(private readonly options: { redis: RedisAddress; logger: Logger; patienceMs?: number }) {
    this.#client = createRedisClient(options.redis, { connectMs: PROBE_MS, longestWaitMs: LONGEST_WAIT_MS });
    this.#client.on('error', (error: unknown) => this.#fail(error));
    this.#breaker = new CircuitBreaker({
      probe: () => this.#probe(),
      firstWaitMs: FIRST_WAIT_MS,
      longestWaitMs: LONGEST_WAIT_MS,
    });
    this.#breaker.fail();
  }

  /** @returns by entity a row a view, of those views that this Redis has in full; undefined where it cannot be asked */
  async read(
    views: readonly RedisView[],
    entities: readonly string[],
  ): Promise<{ has: boolean[]; rows: (StoredRow | undefined)[][] } | undefined> {
    if (!this.#breaker.isClosed || views.length === 0) return undefined;
    try {
      const fields = views.map(fieldOf);
      // All in one turn, so that they travel together.
      const [markers, ...hashes] = await within(
        (this.options.patienceMs ?? PATIENCE_MS) + PATIENCE_MS_AN_ENTITY * entities.length,
        Promise.all([
          this.#client.hmGet(
            MARKERS,
            views.map(({ view }) => view),
          ),
          ...entities.map((entity) => this.#client.hmGet(keyOf(entity), fields)),
        ]),
      );
      return {
        has: views.map(({ materialization }, at) => markers![at] === materialization),
        rows: hashes.map((hash, at) => hash.map((text) => readRow(entities[at]!, text))),
      };
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Which materialization of a view is here in full. @throws Error where Redis does not answer */
  async marker(view: string): Promise<string | undefined> {
    return (
      (await within(
        WRITE_PATIENCE_MS,
        this.#connected().then(() => this.#client.hGet(MARKERS, view)),
      )) ?? undefined
    );
  }

  /** @param ttlSeconds after which a row has expired; then it may go @throws Error where Redis does not answer */
  async write(view: RedisView, rows: readonly StoredRow[], ttlSeconds: number): Promise<void> {
    await this.#connected();
    const commands = rows.flatMap(({ entity, eventUs, content }) => {
      const key = keyOf(entity);
      const seconds = ttlSeconds + 7 * DAY_S;
      return [
        this.#client.hSet(key, fieldOf(view), JSON.stringify([eventUs, content])),
        this.#client.expire(key, seconds, 'NX'),
        this.#client.expire(key, seconds, 'GT'),
      ];
    });
    await within(WRITE_PATIENCE_MS, Promise.all(commands));
  }

  /** Says that a materialization is here in full. @throws Error where Redis does not answer */
  async mark({ view, materialization }: RedisView): Promise<void> {
    await within(WRITE_PATIENCE_MS, this.#client.hSet(MARKERS, view, materialization));
  }

  /** Removes what entities have of former generations of a view, at least one. @throws Error where Redis does not answer */
  async drop(view: string, generations: readonly string[], entities: readonly string[]): Promise<void> {
    const fields = generations.map((generation) => fieldOf({ view, generation }));
    await within(WRITE_PATIENCE_MS, Promise.all(entities.map((entity) => this.#client.hDel(keyOf(entity), fields))));
  }

  /**
   * Forgets an entity, and every cached prediction: their keys do not tell whom they are about.
   * @returns how many keys went @throws Error where Redis does not answer
   */
  async forget(entity: string): Promise<number> {
    await this.#connected();
    let keys = await within(WRITE_PATIENCE_MS, this.#client.unlink(keyOf(entity)));
    for await (const batch of this.#client.scanIterator({ MATCH: 'mlops:prediction:*', COUNT: 1000 }))
      if (batch.length > 0) keys += await within(WRITE_PATIENCE_MS, this.#client.unlink(batch));
    return keys;
  }

  /** Whether anything of an entity is here. @throws Error where Redis does not answer */
  async has(entity: string): Promise<boolean> {
    await this.#connected();
    return (await within(WRITE_PATIENCE_MS, this.#client.exists(keyOf(entity)))) > 0;
  }

  close(): void {
    this.#breaker.stop();
    if (this.#client.isOpen) this.#client.destroy();
  }

  async #connected(): Promise<void> {
    for (const deadline = Date.now() + PROBE_MS; !this.#client.isReady && Date.now() < deadline;) await sleep(20);
    if (!this.#client.isReady) throw new Error('Redis is not connected');
  }

  #fail(error: unknown): void {
    const reason = withoutCredentials(error instanceof Error ? error.message : String(error));
    if (!this.#isToldAway)
      this.options.logger.warn({ reason }, 'Redis cannot be used at present; features are read from PostgreSQL');
    this.#isToldAway = true;
    this.#breaker.fail();
  }

  async #probe(): Promise<void> {
    try {
      if (!this.#client.isOpen) await this.#client.connect();
      if (!this.#client.isReady) throw new Error('not connected');
      await within(PROBE_MS, this.#client.ping());
      this.#isToldAway = false;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }
}

/** Others may write into the same Redis: what is no row counts as not there. */
function readRow(entity: string, text: string | null): StoredRow | undefined {
  if (text === null) return undefined;
  try {
    const [eventUs, content] = JSON.parse(text) as [unknown, unknown];
    return typeof eventUs === 'number' && typeof content === 'string' ? { entity, eventUs, content } : undefined;
  } catch {
    return undefined;
  }
}
