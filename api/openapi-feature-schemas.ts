import { FEATURE_TYPES } from '../core/schemas/feature-view.js';
import {
  anything,
  count,
  nullableNumber,
  nullableText,
  nullableTime,
  share,
  strict,
  text,
  time,
} from './openapi-types.js';

const list = (items: object) => ({ type: 'array', items });
const mapOf = (values: object) => ({ type: 'object', additionalProperties: values });
const value = { type: ['string', 'number', 'boolean', 'null'] };
const declaredIn = { enum: ['file', 'api'] };
const view = {
  view: text,
  version: count,
  digest: text,
  declared_in: declaredIn,
  owner: text,
  description: nullableText,
  entity: text,
  ttl_seconds: count,
  features: list(strict({ name: text, type: { enum: FEATURE_TYPES }, on_demand: { type: 'boolean' } })),
  materialized: { anyOf: [{ $ref: '#/components/schemas/FeatureMaterialization' }, { type: 'null' }] },
  consumers: list(strict({ model: text, version: text, view_version: count, state: text })),
  created_by: text,
  created_at: time,
};
const answered = (version: object) => ({
  features: mapOf(value),
  views: mapOf(strict({ version, status: { enum: ['fresh', 'expired', 'missing'] }, age_seconds: nullableNumber })),
});

/** The shapes of the answers about features. */
export const FEATURE_SCHEMAS = {
  FeatureView: strict(view),
  FeatureViewDetail: strict({
    ...view,
    definition: { type: 'object' },
    versions: list(
      strict({
        version: count,
        digest: text,
        declared_in: declaredIn,
        created_by: text,
        created_at: time,
        definition: { type: 'object' },
      }),
    ),
  }),
  FeatureMaterialization: strict({
    job_id: text,
    version: count,
    mode: { enum: ['full', 'incremental'] },
    end: time,
    age_seconds: { type: 'number' },
    entities: count,
    checksum: text,
    inputs: mapOf(strict({ dataset_id: text, digest: text })),
    statistics: list(
      strict({
        name: text,
        type: { enum: FEATURE_TYPES },
        null_share: share,
        distinct: count,
        minimum: anything,
        maximum: anything,
        mean: nullableNumber,
      }),
    ),
    finished_at: nullableTime,
  }),
  OnlineFeatures: strict({ items: list(strict({ entity_id: text, ...answered({ type: ['integer', 'null'] }) })) }),
  HistoricalFeatures: strict({ items: list(strict({ entity_id: text, as_of: time, ...answered(count) })) }),
};
