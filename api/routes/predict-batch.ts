import express, { type Request, type Response } from 'express';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import type { ModelKind } from '../../core/names.js';
import { batchRequestSchema, type PredictInput } from '../../core/schemas/prediction.js';
import { parseRequest, pollutingPaths, unstorablePaths } from '../../services/parse-request.js';
import { refuseDeep } from '../../services/refuse-deep.js';
import { predictMany, type BatchCall } from '../../services/serving/predict-many.js';
import { answerArrow } from '../../services/serving/answer-arrow.js';
import { callerOf, correlationIdOf, pathParameter, type ApiContext } from '../http-context.js';
import { endGone, isGone } from '../middleware/admit.js';
import { requireType } from '../middleware/require-type.js';
import { predictErrors, readInput, resolveModel } from './asked-model.js';
import { readPlainInstance } from './plain-instance.js';
import { ref, type RouteDefinition } from './route-definition.js';

const ARROW = 'application/vnd.apache.arrow.stream';
const JSON_LIMIT = '32mb';
/** A row of 26 numbers is 208 bytes: room for 100,000 of them ten times over. */
const ARROW_LIMIT = '256mb';

const readJson = express.json({ limit: JSON_LIMIT, strict: true, verify: refuseDeep });
const readArrowBytes = express.raw({ limit: ARROW_LIMIT, type: ARROW });

/** What all rows of a call share. @param model as it is called in the registry */
export function batchCallOf(response: Response, model: string, modelVersion: string | undefined): BatchCall {
  return {
    model,
    modelVersion,
    correlationId: correlationIdOf(response),
    caller: callerOf(response).subject,
    isGone: () => isGone(response),
  };
}

async function answerJson(request: Request, response: Response, context: ApiContext) {
  const { model, kind } = await resolveModel(pathParameter(request, 'model'), context);
  const { instances, model_version: version } = readEnvelope(request.body);
  const inputs: PredictInput[] = [];
  const places: number[] = [];
  const results = new Array<unknown>(instances.length);
  const hostile: FieldProblem[] = [];
  for (const [at, instance] of instances.entries()) {
    const plain = readPlainInstance(kind, instance);
    if (!plain) hostile.push(...hostileParts(instance, at));
    const input = plain ?? readInstance(kind, instance);
    if (input instanceof ServiceError) {
      results[at] = instanceError(input);
    } else {
      places.push(at);
      inputs.push(input);
    }
  }
  if (hostile.length > 0)
    throw new ServiceError('request_invalid', `The request has ${hostile.length} problems.`, hostile);
  const answers = await predictMany(context, inputs, batchCallOf(response, model, version));
  answers.forEach((answer, i) => {
    results[places[i]!] = answer instanceof ServiceError ? instanceError(answer) : answer;
  });
  return { results };
}

/** The call without its instances, which are checked one by one. */
function readEnvelope(body: unknown): { instances: readonly unknown[]; model_version?: string } {
  const instances = (body as { instances?: unknown } | null)?.instances;
  // A list is held to its length alone here: its items are numbers to the schema, whatever they are.
  const checked = Array.isArray(instances) ? { ...(body as object), instances: instances.map(() => 0) } : body;
  return { ...parseRequest(batchRequestSchema, checked), instances: instances as readonly unknown[] };
}

/** What could never be kept, or reaches for a prototype: it refuses the whole call. */
function hostileParts(instance: unknown, at: number): FieldProblem[] {
  const path = ['instances', String(at)];
  return [...pollutingPaths(instance, path), ...unstorablePaths(instance, path)];
}

function readInstance(kind: ModelKind, instance: unknown): PredictInput | ServiceError {
  try {
    return readInput(kind, instance);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'request_invalid') return error;
    throw error;
  }
}

const instanceError = ({ code, message, problems }: ServiceError) => ({
  error: { code, detail: message, errors: problems },
});

async function answerColumns(request: Request, response: Response, context: ApiContext) {
  const { model } = await resolveModel(pathParameter(request, 'model'), context);
  const version = request.get('x-model-version');
  const bytes = request.body as Uint8Array;
  const answer = await answerArrow(context, bytes, batchCallOf(response, model, version));
  response.type(ARROW).send(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
}

export const predictBatchRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/predict/{model}/batch',
    tag: 'Predict',
    summary: 'Predict for up to 10,000 entities, or for 1,000,000 rows of Apache Arrow',
    description:
      '`results` has one entry an instance, in order: a prediction, or `{error}` for an instance that does not fit. ' +
      `A body of the type \`${ARROW}\` is answered in kind: a column a feature (and \`entity_id\`) in, \`prediction_id\` and a column ` +
      'an answer out; `X-Model-Version` asks for a version. A row that does not fit refuses the whole stream.',
    role: 'predictor',
    body: batchRequestSchema,
    otherBodies: { [ARROW]: { schema: { type: 'string', format: 'binary' } } },
    readBody: [requireType('application/json', ARROW), readJson, readArrowBytes],
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
      {
        status: 200,
        description: 'One row a row',
        contentType: ARROW,
        schema: { type: 'string', format: 'binary' },
      },
    ],
    errors: [...predictErrors, 'deadline_exceeded'],
    async handle(request, response, context) {
      try {
        return await (request.is(ARROW) ? answerColumns : answerJson)(request, response, context);
      } catch (error) {
        return endGone(error, response);
      }
    },
  },
];
