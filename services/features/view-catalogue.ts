import { ServiceError } from '../../core/errors.js';
import { featureNameOf, type FeatureView } from '../../core/schemas/feature-view.js';
import type { Database, Prisma } from '../database/database.js';
import type { PageRequest } from '../database/read-page.js';
import { featuresOf } from './join-views.js';
import type { ViewStore } from './view-store.js';

/** A version of a model that learnt from a view. */
export interface ViewConsumer {
  model: string;
  version: string;
  view_version: number;
  state: string;
}

const timeOf = (us: bigint) => new Date(Number(us / 1000n)).toISOString();

function presentFilling(row: Prisma.FeatureMaterializationGetPayload<object>, nowMs: number) {
  return {
    job_id: row.id,
    version: row.version,
    mode: row.mode,
    end: timeOf(row.endUs),
    /** Seconds since the moment up to which the online store is filled. */
    age_seconds: nowMs / 1000 - Number(row.endUs) / 1e6,
    entities: row.entities ?? 0,
    checksum: row.checksum ?? '',
    inputs: row.inputs,
    statistics: row.statistics ?? [],
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** The catalogue: what views there are, who uses them, what they hold and how fresh they are. */
export function createViewCatalogue({ database, views }: { database: Database; views: ViewStore }) {
  const { prisma, pool } = database;

  async function consumersOf(names: readonly string[]): Promise<Map<string, ViewConsumer[]>> {
    const { rows } = await pool.query<ViewConsumer & { view: string }>(
      `SELECT used->>'view' AS view, model, version, (used->>'version')::int AS view_version, state
       FROM model_versions, jsonb_array_elements(lineage->'feature_views') AS used
       WHERE used->>'view' = ANY($1) ORDER BY created_at DESC, model`,
      [names],
    );
    const consumers = new Map<string, ViewConsumer[]>();
    for (const { view, ...consumer } of rows) consumers.set(view, [...(consumers.get(view) ?? []), consumer]);
    return consumers;
  }

  async function describe(name: string, consumers: readonly ViewConsumer[]) {
    const { version, digest, definition } = await views.latest(name);
    const row = await prisma.featureView.findUniqueOrThrow({ where: { view_version: { view: name, version } } });
    const filled = await prisma.featureMaterialization.findFirst({
      where: { view: name, state: 'completed' },
      orderBy: [{ version: 'desc' }, { createdAt: 'desc' }],
    });
    return {
      view: name,
      version,
      digest,
      declared_in: row.declaredIn,
      owner: definition.owner,
      description: definition.description ?? null,
      entity: definition.entity,
      ttl_seconds: definition.ttl_seconds,
      features: featuresOf(definition).map(({ name: feature, type }) => ({
        name: featureNameOf(name, feature),
        type,
        on_demand: definition.on_demand[feature] !== undefined,
      })),
      materialized: filled ? presentFilling(filled, Date.now()) : null,
      consumers,
      created_by: row.createdBy,
      created_at: row.createdAt.toISOString(),
    };
  }

  return {
    /** In order of their names; the cursor is the last name of the page before. */
    async list({ limit, cursor }: PageRequest) {
      const names = await views.names();
      if (cursor !== undefined && !names.includes(cursor))
        throw new ServiceError(
          'request_invalid',
          'The cursor is none of this list. Use next_cursor of the page before.',
          [{ path: 'cursor', message: 'is not a cursor of this list' }],
        );
      const rest = names.filter((name) => cursor === undefined || name > cursor);
      const page = rest.slice(0, limit);
      const consumers = await consumersOf(page);
      const items = [];
      for (const name of page) items.push(await describe(name, consumers.get(name) ?? []));
      return { items, next_cursor: rest.length > limit ? page.at(-1)! : null };
    },
    /** @throws ServiceError `feature_view_not_found` */
    async get(name: string) {
      const consumers = await consumersOf([name]);
      const described = await describe(name, consumers.get(name) ?? []);
      const versions = await views.versions(name);
      return {
        ...described,
        definition: versions[0]!.definition as unknown as FeatureView,
        versions: versions.map((row) => ({
          version: row.version,
          digest: row.digest,
          declared_in: row.declaredIn,
          created_by: row.createdBy,
          created_at: row.createdAt.toISOString(),
          definition: row.definition,
        })),
      };
    },
  };
}

export type ViewCatalogue = ReturnType<typeof createViewCatalogue>;
