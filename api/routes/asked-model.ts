import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { PREDICT_REQUESTS, toPredictInput } from '../../core/kinds/requests.js';
import { canonicalModelName, MODEL_KINDS, type ModelKind } from '../../core/names.js';
import type { PredictInput } from '../../core/schemas/prediction.js';
import { parseRequest } from '../../services/parse-request.js';
import type { ApiContext } from '../http-context.js';

/** A checked request of a kind. @throws ServiceError `request_invalid` */
export const readInput = (kind: ModelKind, body: unknown): PredictInput =>
  toPredictInput(parseRequest<z.ZodType<Record<string, unknown>>>(PREDICT_REQUESTS[kind], body));

/** The kind that answers under a name: of the served model, else of the config, else the kind of that name. */
export async function resolveModel(name: string, context: ApiContext): Promise<{ model: string; kind: ModelKind }> {
  // The path of the contract is in the plural, the kind is not.
  const model = name === 'recommendations' ? 'recommendation' : canonicalModelName(name);
  const served = context.routing.served(model);
  if (served) return { model, kind: served.scorer.bundle.manifest.kind };
  const { models } = await context.readModelsConfig();
  const definition = models.get(model);
  if (definition) return { model, kind: definition.kind };
  if ((MODEL_KINDS as readonly string[]).includes(model))
    throw new ServiceError(
      'version_not_deployed',
      `No version of ${model} is deployed, and the models file has no entry for it: add \`${model}:\`, train it with POST /models/train and deploy it.`,
    );
  throw new ServiceError(
    'model_not_found',
    `There is no model "${model.slice(0, 64)}". Known models: ${[...models.keys()].join(', ')}.`,
  );
}

/** What every call for predictions can meet. */
export const predictErrors = [
  'request_malformed',
  'model_not_found',
  'version_not_deployed',
  'version_not_found',
  'body_too_large',
  'media_type_unsupported',
  'request_invalid',
  'overloaded',
  'rate_limited',
] as const;
