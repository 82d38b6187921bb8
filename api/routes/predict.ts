import type { Request, Response } from 'express';
import type { z } from 'zod';
import { ServiceError } from '../../core/errors.js';
import { PREDICT_REQUESTS, tableRequestSchema, toPredictInput } from '../../core/kinds/requests.js';
import { canonicalModelName, MODEL_KINDS, type ModelKind } from '../../core/names.js';
import { batchRequestSchema, feedbackRequestSchema, type PredictInput } from '../../core/schemas/prediction.js';
import { parseRequest } from '../../services/parse-request.js';
import { recordOutcome } from '../../services/serving/record-outcome.js';
import { correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { KIND_PREDICTIONS } from './predict-kinds.js';
import { ref, type RouteDefinition } from './route-definition.js';

const readInput = (kind: ModelKind, body: unknown): PredictInput =>
  toPredictInput(parseRequest<z.ZodType<Record<string, unknown>>>(PREDICT_REQUESTS[kind], body));

/** The kind that answers under a name: of the served model, else of the config, else the kind of that name. */
async function resolveModel(name: string, context: ApiContext): Promise<{ model: string; kind: ModelKind }> {
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

async function answerOne(name: string, request: Request, response: Response, context: ApiContext) {
  const { model, kind } = await resolveModel(name, context);
  return context.predict(model, readInput(kind, request.body), correlationIdOf(response));
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
  ...KIND_PREDICTIONS.map(({ path, kind, ...described }): RouteDefinition => ({
    method: 'post',
    path: `/predict/${path}`,
    tag: 'Predict',
    role: 'predictor',
    body: PREDICT_REQUESTS[kind],
    answers: [{ status: 200, description: 'The prediction', schema: ref('Prediction') }],
    errors: predictErrors,
    handle: (request, response, context) => answerOne(path, request, response, context),
    ...described,
  })),
  {
    method: 'post',
    path: '/predict/{model}',
    tag: 'Predict',
    summary: 'Predict with any model of the config',
    description:
      'The request and the answer have the shape of the model’s kind; a model named like a kind can be asked here, too. ' +
      '`classification` answers `label` and `probabilities`, `regression` `value` and `interval`. A feature that is left out counts as not known. ' +
      'With `explain: true` the contributions of a head and its base value add up to its answer.',
    role: 'predictor',
    body: tableRequestSchema,
    example: {
      entity_id: 'project_456',
      features: { complexity_score: 0.7, team_size: 3, duration_estimate: 45, technology_maturity: 0.8 },
    },
    answers: [{ status: 200, description: 'The prediction', schema: ref('Prediction') }],
    errors: predictErrors,
    handle: (request, response, context) => answerOne(pathParameter(request, 'model'), request, response, context),
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
      const { model, kind } = await resolveModel(pathParameter(request, 'model'), context);
      const batch = parseRequest(batchRequestSchema, request.body);
      const correlationId = correlationIdOf(response);
      const results: unknown[] = [];
      for (const instance of batch.instances) {
        try {
          const input = readInput(kind, instance);
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
