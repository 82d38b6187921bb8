import { ServiceError } from '../../core/errors.js';
import { featureNameOf } from '../../core/schemas/feature-view.js';
import { featuresOf } from './join-views.js';
import { OnDemandFeatures, type FeatureValue, type FeatureValues } from './on-demand.js';
import type { OnlineStore } from './online-store.js';
import type { KnownView, ViewRegistry } from './view-registry.js';

export type FeatureStatus = 'fresh' | 'expired' | 'missing';

/** What one view says of one entity. */
export interface ViewAnswer {
  /** The version that the online store was filled by. */
  version: number | null;
  status: FeatureStatus;
  age_seconds: number | null;
  /** By their names in the view; expired and missing ones are null. */
  values: FeatureValues;
}

const nowUs = () => Date.now() * 1000;

/** Looks features of entities up, with age and status by the same rule as a historical join, and computes those on demand. */
export class OnlineFeatures {
  readonly #onDemand = new OnDemandFeatures();

  constructor(
    private readonly registry: ViewRegistry,
    private readonly store: OnlineStore,
  ) {}

  known(view: string): Promise<KnownView | undefined> {
    return this.registry.find(view);
  }

  /**
   * @param atUs as of when in microseconds; now by default
   * @returns by entity an answer a view; `isAway` where the store could not be asked
   */
  async lookUp(
    views: readonly KnownView[],
    entities: readonly string[],
    requests: readonly FeatureValues[],
    atUs = nowUs(),
  ): Promise<{ answers: ViewAnswer[][]; isAway: boolean }> {
    const filled = views.flatMap(({ filled: one }) => one ?? []);
    const { rows, isAway } = filled.length > 0 ? await this.store.read(filled, entities) : { rows: [], isAway: false };
    const answers = entities.map((_, row) =>
      views.map(({ latest, filled: one }): ViewAnswer => {
        const stored = one && rows[row]?.[filled.indexOf(one)];
        const definition = one?.definition ?? latest.definition;
        const ageUs = stored ? atUs - stored.eventUs : undefined;
        const status = ageUs === undefined ? 'missing' : ageUs <= definition.ttl_seconds * 1e6 ? 'fresh' : 'expired';
        const content = status === 'fresh' ? (JSON.parse(stored!.content) as FeatureValues) : {};
        const values = Object.keys(definition.features).map((name) => [name, content[name] ?? null]);
        return {
          version: one?.version ?? null,
          status,
          age_seconds: ageUs === undefined ? null : ageUs / 1e6,
          values: Object.fromEntries(values) as FeatureValues,
        };
      }),
    );
    await this.#addOnDemand(views, answers, requests);
    return { answers, isAway };
  }

  async #addOnDemand(
    views: readonly KnownView[],
    answers: ViewAnswer[][],
    requests: readonly FeatureValues[],
  ): Promise<void> {
    for (const [at, { latest, filled }] of views.entries()) {
      const definition = filled?.definition ?? latest.definition;
      if (Object.keys(definition.on_demand).length === 0) continue;
      const rows = answers.map((answer, row) => {
        const given = Object.keys(definition.request).map((name) => [name, requests[row]?.[name] ?? null]);
        return { ...answer[at]!.values, ...(Object.fromEntries(given) as FeatureValues) };
      });
      const computed = await this.#onDemand.compute(definition, rows);
      for (const [row, answer] of answers.entries()) Object.assign(answer[at]!.values, computed[row]);
    }
  }

  /**
   * The answer of `POST /features/online`.
   * @throws ServiceError `feature_view_not_found`, or `dependency_unavailable` where the store cannot be asked
   */
  async answer(names: readonly string[], entities: readonly string[], request: FeatureValues) {
    const views = await Promise.all(
      [...new Set(names)].map(async (name) => {
        const known = await this.registry.find(name);
        if (known) return known;
        throw new ServiceError(
          'feature_view_not_found',
          `There is no feature view "${name}". GET /features/views lists them.`,
        );
      }),
    );
    const { answers, isAway } = await this.lookUp(
      views,
      entities,
      entities.map(() => request),
    );
    if (isAway)
      throw new ServiceError(
        'dependency_unavailable',
        'The online feature store cannot be reached at present. Try again shortly.',
        [],
        2,
      );
    return {
      items: entities.map((entity_id, row) => {
        const features: Record<string, FeatureValue> = {};
        for (const [at, { latest, filled }] of views.entries())
          for (const { name } of featuresOf(filled?.definition ?? latest.definition))
            features[featureNameOf(latest.view, name)] = answers[row]![at]!.values[name] ?? null;
        const states = views.map(({ latest }, at) => {
          const { version, status, age_seconds } = answers[row]![at]!;
          return [latest.view, { version, status, age_seconds }] as const;
        });
        return { entity_id, features, views: Object.fromEntries(states) };
      }),
    };
  }

  async close(): Promise<void> {
    this.store.close();
    await this.#onDemand.close();
  }
}
