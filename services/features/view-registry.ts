import type { FeatureView, ViewVersion } from '../../core/schemas/feature-view.js';
import type { Database } from '../database/database.js';
import type { RedisView } from './redis-features.js';
import type { ViewStore } from './view-store.js';

/** What is known of a view: its newest definition, and that which the online store was filled by. */
export interface KnownView {
  latest: ViewVersion;
  filled?: RedisView & { definition: FeatureView; endUs: number };
}

/** A change is seen within this time. */
const LOOK_EVERY_MS = 2000;
/** A view that is not filled as yet is looked for more often. */
const LOOK_AGAIN_MS = 100;

const READ_FILLED = `SELECT DISTINCT ON (m.view) m.view, m.version, m.id AS materialization, m.end_us, v.definition,
    coalesce((SELECT g.id FROM feature_materializations g WHERE g.view = m.view AND g.version = m.version AND g.state = 'completed'
      AND g.mode = 'full' AND g.created_at <= m.created_at ORDER BY g.created_at DESC LIMIT 1), m.id) AS generation
  FROM feature_materializations m JOIN feature_views v USING (view, version)
  WHERE m.state = 'completed' ORDER BY m.view, m.version DESC, m.created_at DESC`;

/** The views in the memory of a process, so that a prediction asks the online store and nothing else. While PostgreSQL is away what was known stands. */
export class ViewRegistry {
  #known = new Map<string, KnownView>();
  #lookedMs = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(private readonly context: { database: Database; views: ViewStore }) {}

  /** @returns undefined for a view that there is not, and where none could be read since the start */
  async find(view: string): Promise<KnownView | undefined> {
    const isFilled = this.#known.get(view)?.filled !== undefined;
    // What is known already answers at once; a question that it cannot answer waits.
    if (performance.now() - this.#lookedMs > (isFilled ? LOOK_EVERY_MS : LOOK_AGAIN_MS)) {
      const look = this.#look();
      if (!isFilled) await look;
    }
    return this.#known.get(view);
  }

  /** Looks now. @throws where PostgreSQL is away */
  async refresh(): Promise<void> {
    const { database, views } = this.context;
    const latest = await Promise.all((await views.names()).map((name) => views.latest(name)));
    const { rows } = await database.pool.query<RedisView & { end_us: string; definition: FeatureView }>(READ_FILLED);
    const filled = new Map(rows.map(({ end_us: endUs, ...row }) => [row.view, { ...row, endUs: Number(endUs) }]));
    this.#known = new Map(latest.map((one) => [one.view, { latest: one, filled: filled.get(one.view) }]));
    this.#lookedMs = performance.now();
  }

  async #look(): Promise<void> {
    this.#looking ??= this.refresh()
      .catch(() => void (this.#lookedMs = performance.now()))
      .finally(() => (this.#looking = undefined));
    await this.#looking;
  }
}
