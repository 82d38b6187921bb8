import type { WatchedHead } from '../../core/monitoring/answer-tally.js';
import { OTHER } from '../../core/monitoring/tally.js';
import type { PerformanceMonitorSettings } from '../../core/schemas/performance-monitor.js';
import type { Database } from '../database/database.js';
import { readMonitor } from '../monitors/monitor-settings.js';
import type { ModelsConfig } from '../training/models-config.js';

/** Values of a feature that are told apart as segments; all others are one more. */
const MOST_VALUES = 50;
const MISSING = '(missing)';
const MOST_CHARACTERS = 100;
/** Settings are looked up again after this. */
const FRESH_MS = 10_000;

export interface WatchedModelsOptions {
  database: Database;
  readModelsConfig: () => Promise<ModelsConfig>;
}

/** What the follower of the log knows of models and versions. */
export class WatchedModels {
  readonly #heads = new Map<string, readonly WatchedHead[]>();
  readonly #values = new Map<string, Set<string>>();
  readonly #settings = new Map<string, { at: number; settings: PerformanceMonitorSettings }>();

  constructor(private readonly context: WatchedModelsOptions) {}

  /** The heads of a version; none of one that is not in the registry, whose answers are counted only. */
  async heads(model: string, version: string): Promise<readonly WatchedHead[]> {
    const key = `${model} ${version}`;
    const known = this.#heads.get(key);
    if (known) return known;
    const row = await this.context.database.prisma.modelVersion.findUnique({
      where: { model_version: { model, version } },
      select: { signature: true },
    });
    const { heads = [] } = (row?.signature ?? {}) as { heads?: readonly WatchedHead[] };
    if (row) this.#heads.set(key, heads);
    return heads;
  }

  async settings(model: string): Promise<PerformanceMonitorSettings> {
    const known = this.#settings.get(model);
    if (known && performance.now() - known.at < FRESH_MS) return known.settings;
    const { models } = await this.context.readModelsConfig();
    // The model may have left the file since it answered.
    const { settings: all } = await readMonitor(models.get(model) ?? { name: model }, this.context.database);
    const settings = all.performance;
    this.#settings.set(model, { at: performance.now(), settings });
    return settings;
  }

  /** The segments that a row counts under, by the settings of its model. */
  async segments(model: string, features: Record<string, unknown>): Promise<string[]> {
    const names = segmentFeatures(await this.settings(model));
    if (names.length === 0) return [];
    return Promise.all(names.map(async (name) => `${name}=${await this.#valueOf(model, name, features[name])}`));
  }

  async #valueOf(model: string, feature: string, value: unknown): Promise<string> {
    if (value === null || value === undefined) return MISSING;
    const text = String(value).slice(0, MOST_CHARACTERS);
    const key = `${model} ${feature}`;
    let known = this.#values.get(key);
    if (!known) this.#values.set(key, (known = await this.#knownValues(model, feature)));
    if (!known.has(text) && known.size >= MOST_VALUES) return OTHER;
    known.add(text);
    return text;
  }

  async #knownValues(model: string, feature: string): Promise<Set<string>> {
    const { rows } = await this.context.database.pool.query<{ value: string }>(
      `SELECT DISTINCT substr(segment, length($2) + 2) AS value FROM performance_rollups
       WHERE model = $1 AND span = 'day' AND starts_with(segment, $2 || '=')`,
      [model, feature],
    );
    return new Set(rows.map(({ value }) => value).filter((value) => value !== OTHER && value !== MISSING));
  }
}

/** Features whose values are counted one by one. */
export const segmentFeatures = ({ segments, fairness }: PerformanceMonitorSettings): string[] => [
  ...new Set([...segments, ...fairness.groups]),
];
