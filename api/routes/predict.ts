import type { Request, Response } from 'express';
import { PREDICT_REQUESTS, tableRequestSchema } from '../../core/kinds/requests.js';
import { feedbackRequestSchema } from '../../core/schemas/prediction.js';
import { parseRequest } from '../../services/parse-request.js';
import { noteModel } from '../../services/telemetry/correlation.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { predictErrors, readInput, resolveModel } from './asked-model.js';
import { KIND_PREDICTIONS } from './predict-kinds.js';
import { ref, type RouteDefinition } from './route-definition.js';

async function answerOne(name: string, request: Request, response: Response, context: ApiContext) {
  const { model, kind } = await resolveModel(name, context);
  const input = { ...readInput(kind, request.body), caller: callerOf(response).subject };
  noteModel(model);
  const answer = await context.predict(model, input, correlationIdOf(response));
  noteModel(model, answer.model_version);
  return answer;
}

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
    path: '/predictions/{prediction_id}/feedback',
    tag: 'Predict',
    summary: 'Report what turned out to be true',
    description:
      'Late, repeated and corrected reports are accepted; the newest `observed_at` wins and is in the answer.',
    role: 'predictor',
    body: feedbackRequestSchema,
    example: { outcome: { churn_probability: false }, observed_at: '2024-07-01T00:00:00Z' },
    answers: [
      { status: 200, description: 'The outcome that counts now', schema: ref('Outcome') },
      {
        status: 202,
        description:
          'The database is away: the outcome is safe on disk, and is checked and stored when it is back (`state` is `waiting`)',
        schema: ref('Outcome'),
      },
    ],
    errors: ['request_malformed', 'prediction_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { outcome, metrics, observed_at: observedAt } = parseRequest(feedbackRequestSchema, request.body);
      const recorded = await context.outcomes.record({
        predictionId: pathParameter(request, 'prediction_id'),
        outcome,
        metrics,
        observedAt: observedAt ? new Date(observedAt) : new Date(),
      });
      if (recorded.state === 'waiting') response.status(202);
      return recorded;
    },
  },
];
