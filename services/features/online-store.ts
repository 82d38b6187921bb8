import type { Pool } from 'pg';
import { CircuitBreaker } from '../serving/circuit-breaker.js';
import { within } from '../within.js';
import type { RedisFeatures, RedisView, StoredRow } from './redis-features.js';

/** A lookup waits no longer than this for PostgreSQL; what it does not give by then is missing. */
const PATIENCE_MS = 250;

/** By entity a row a view; `isAway` where the store could not be asked, so that nothing is known. */
export interface OnlineRows {
  rows: (StoredRow | undefined)[][];
  isAway: boolean;
}

/** Where features are looked up: in Redis as far as it has them in full, else in PostgreSQL. A store that is away holds nobody up. */
export class OnlineStore {
  readonly #breaker: CircuitBreaker;

  constructor(private readonly options: { pool: Pool; redis?: RedisFeatures }) {
    this.#breaker = new CircuitBreaker({
      probe: () => within(PATIENCE_MS * 4, options.pool.query('SELECT 1')),
      firstWaitMs: 200,
      longestWaitMs: 2000,
    });
  }

  /**
   * What Redis has not is asked of PostgreSQL: also a row of a view that it has in full, since a Redis that is full drops keys as it likes.
   * While PostgreSQL is away such a row counts as missing.
   */
  async read(views: readonly RedisView[], entities: readonly string[]): Promise<OnlineRows> {
    const cached = await this.options.redis?.read(views, entities);
    const found = entities.map((_, row) =>
      views.map((_view, at) => (cached?.has[at] ? cached.rows[row]![at] : undefined)),
    );
    const left = views.filter((_, at) => found.some((rows) => rows[at] === undefined));
    if (left.length === 0) return { rows: found, isAway: false };
    const asked = entities.filter((_, row) => found[row]!.includes(undefined));
    const stored = await this.#readStored(left, asked);
    const rows = entities.map((entity, row) =>
      views.map(({ view }, at) => found[row]![at] ?? stored?.get(`${view} ${entity}`)),
    );
    return { rows, isAway: stored === undefined && !views.every((_, at) => cached?.has[at]) };
  }

  async #readStored(
    views: readonly RedisView[],
    entities: readonly string[],
  ): Promise<Map<string, StoredRow> | undefined> {
    if (!this.#breaker.isClosed) return undefined;
    try {
      const query = this.options.pool.query<{ view: string; entity: string; event_us: string; content: string }>({
        name: 'read-features',
        text: `SELECT f.view, f.entity_id AS entity, f.event_us, f.content FROM feature_values f
          JOIN unnest($2::text[], $3::int[]) AS w(view, version) ON f.view = w.view AND f.version = w.version
          WHERE f.entity_id = ANY($1)`,
        values: [entities, views.map(({ view }) => view), views.map(({ version }) => version)],
      });
      const { rows } = await within(PATIENCE_MS, query);
      return new Map(
        rows.map(({ view, entity, event_us: eventUs, content }) => [
          `${view} ${entity}`,
          { entity, eventUs: Number(eventUs), content },
        ]),
      );
    } catch {
      this.#breaker.fail();
      return undefined;
    }
  }

  close(): void {
    this.#breaker.stop();
  }
}
