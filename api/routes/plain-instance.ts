import type { ModelKind } from '../../core/names.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import { POLLUTING, UNSTORABLE } from '../../services/parse-request.js';

/** The kinds whose requests are features and an entity, and the names that they have for the entity. */
const ENTITY_NAMES: Partial<Record<ModelKind, readonly string[]>> = {
  user_behavior: ['user_id'],
  project_success: ['project_id'],
  classification: ['entity_id', 'user_id', 'project_id'],
  regression: ['entity_id', 'user_id', 'project_id'],
};
const MOST_CHARACTERS = 10_000;
const MOST_NAME = 256;

/** Whether requests of the kind are, as a rule, plain. */
export const isPlainKind = (kind: ModelKind): boolean => ENTITY_NAMES[kind] !== undefined;

/**
 * Reads an instance that has nothing but an entity and features that are in order, in about a microsecond.
 * @returns undefined for every other instance: the schema of the kind then says what is wrong with it, or reads its options
 */
export function readPlainInstance(kind: ModelKind, instance: unknown): PredictInput | undefined {
  const entityNames = ENTITY_NAMES[kind];
  if (!entityNames || typeof instance !== 'object' || instance === null || Array.isArray(instance)) return undefined;
  let entityId: string | undefined;
  for (const name in instance) {
    if (name === 'features') continue;
    // Two names for the entity are for the schema to order.
    if (!entityNames.includes(name) || entityId !== undefined) return undefined;
    const entity = (instance as Record<string, unknown>)[name];
    if (typeof entity !== 'string' || entity === '' || entity.length > MOST_NAME || UNSTORABLE.test(entity))
      return undefined;
    entityId = entity;
  }
  const { features } = instance as { features?: unknown };
  return areInOrder(features) ? { entityId, features, explain: false } : undefined;
}

function areInOrder(features: unknown): features is PredictInput['features'] {
  if (typeof features !== 'object' || features === null || Array.isArray(features)) return false;
  for (const name in features) {
    if (name.length > MOST_NAME || POLLUTING.has(name) || UNSTORABLE.test(name)) return false;
    const value = (features as Record<string, unknown>)[name];
    if (value === null || typeof value === 'boolean') continue;
    if (typeof value === 'number' ? !Number.isFinite(value) : !isText(value)) return false;
  }
  return true;
}

const isText = (value: unknown) =>
  typeof value === 'string' && value.length <= MOST_CHARACTERS && !UNSTORABLE.test(value);
