import type { Request } from 'express';
import { ServiceError } from '../../core/errors.js';
import { canonicalModelName, MODEL_KINDS, type ModelKind } from '../../core/names.js';
import {
  batchRequestSchema,
  feedbackRequestSchema,
  projectSuccessRequestSchema,
  tableRequestSchema,
  userBehaviorRequestSchema,
  type PredictInput,
} from '../../core/schemas/prediction.js';
import { parseRequest } from '../../services/parse-request.js';
import { recordOutcome } from '../../services/serving/record-outcome.js';
import { correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

/** Which request shape a kind takes. */
function requestSchemaOf(kind: ModelKind) {
  if (kind === 'user_behavior') return userBehaviorRequestSchema;
  return kind === 'project_success' ? projectSuccessRequestSchema : tableRequestSchema;
}

function toPredictInput(kind: ModelKind, body: unknown): PredictInput {
  const parsed = parseRequest(requestSchemaOf(kind), body) as {
    features: PredictInput['features'];
    model_version?: string;
    explain?: boolean;
    user_id?: string;
    project_id?: string;
    entity_id?: string;
  };
  return {
    entityId: parsed.entity_id ?? parsed.user_id ?? parsed.project_id,
    features: parsed.features,
    modelVersion: parsed.model_version,
    explain: parsed.explain ?? false,
  };
}

/** The kind that answers under a name: of the served model, else of the config, else the kind of that name. */
async function resolveModel(request: Request, context: ApiContext): Promise<{ model: string; kind: ModelKind }> {
  const model = canonicalModelName(pathParameter(request, 'model'));
  const served = context.routing.served(model);
  if (served) return { model, kind: served.scorer.bundle.manifest.kind };
  const { models } = await context.readModelsConfig();
  const kind =
    models.get(model)?.kind ??
    (MODEL_KINDS as readonly string[]).find(
      (name) => name === (model === 'recommendations' ? 'recommendation' : model),
    );
  if (!kind)
    throw new ServiceError(
      'model_not_found',
      `There is no model "${model.slice(0, 64)}". Known models: ${[...models.keys()].join(', ')}.`,
    );
  if (!models.has(model))
    throw new ServiceError(
      'version_not_deployed',
      `No version of ${model} is deployed. This release trains the kinds user_behavior, classification and regression.`,
    );
  return { model, kind: kind as ModelKind };
}

const predictErrors = [
  'request_malformed',
  'model_not_found',
  'version_not_deployed',
  'version_not_found',
  'body_too_large',
  'media_type_unsupported',
  'request_invalid',
] as const;

export const predictRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/predict/{model}',
    tag: 'Predict',
    summary: 'Predict for one entity',
    description:
      'The answer has the shape of the model’s kind. `user_behavior`: `churn_probability`, `engagement_level` (low, medium, high), `next_activity`. ' +
      '`classification`: `label`, `probabilities`. `regression`: `value`, `interval`. A feature that is left out counts as not known. ' +
      'With `explain: true` the contributions of a head and its base value add up to its answer.',
    role: 'predictor',
    body: tableRequestSchema,
    example: {
      user_id: 'user_123',
      features: { activity_score: 0.8, project_count: 5, collaboration_score: 0.6, ai_usage_frequency: 0.7 },
    },
    answers: [{ status: 200, description: 'The prediction', schema: ref('Prediction') }],
    errors: predictErrors,
    async handle(request, response, context) {
      const { model, kind } = await resolveModel(request, context);
      return context.predict(model, toPredictInput(kind, request.body), correlationIdOf(response));
    },
  },
  {
    method: 'post',
    path: '/predict/{model}/batch',
    tag: 'Predict',
    summary: 'Predict for up to 10,000 entities',
    description:
      '`results` has one entry an instance, in order: a prediction, or `{error}` for an instance that does not fit.',
    role: 'predictor',
    body: batchRequestSchema,
    example: {
      instances: [
        { user_id: 'user_123', features: { activity_score: 0.8 } },
        { user_id: 'user_456', features: { activity_score: 0.1 } },
      ],
    },
    answers: [
      {
        status: 200,
        description: 'One result an instance',
        schema: {
          type: 'object',
          required: ['results'],
          properties: { results: { type: 'array', items: { anyOf: [ref('Prediction'), ref('InstanceError')] } } },
        },
      },
    ],
    errors: predictErrors,
    async handle(request, response, context) {
      const { model, kind } = await resolveModel(request, context);
      const batch = parseRequest(batchRequestSchema, request.body);
      const correlationId = correlationIdOf(response);
      const results: unknown[] = [];
      for (const instance of batch.instances) {
        try {
          const input = toPredictInput(kind, instance);
          results.push(
            await context.predict(
              model,
              { ...input, modelVersion: input.modelVersion ?? batch.model_version },
              correlationId,
            ),
          );
        } catch (error) {
          // A missing model concerns the whole call; a bad instance concerns itself only.
          if (!(error instanceof ServiceError) || error.code !== 'request_invalid') throw error;
          results.push({ error: { code: error.code, detail: error.message, errors: error.problems } });
        }
      }
      return { results };
    },
  },
  {
    method: 'post',
    path: '/predictions/{prediction_id}/feedback',
    tag: 'Predict',
    summary: 'Report what turned out to be true',
    description:
      'Late, repeated and corrected reports are accepted; the newest `observed_at` wins and is in the answer.',
    role: 'predictor',
    body: feedbackRequestSchema,
    example: { outcome: { churn_probability: false }, observed_at: '2024-07-01T00:00:00Z' },
    answers: [{ status: 200, description: 'The outcome that counts now', schema: ref('Outcome') }],
    errors: ['request_malformed', 'prediction_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const { outcome, observed_at: observedAt } = parseRequest(feedbackRequestSchema, request.body);
      return recordOutcome(
        { predictionId: pathParameter(request, 'prediction_id'), outcome, observedAt },
        { database: context.database, log: context.predictionLog },
      );
    },
  },
];
