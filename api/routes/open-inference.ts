import express, { type Request, type Response } from 'express';
import { ServiceError } from '../../core/errors.js';
import { releaseVersion } from '../../services/release-version.js';
import {
  inferenceRequestSchema,
  readInferenceBody,
  writeInferenceBody,
} from '../../services/serving/inference-body.js';
import { infer, inferenceMetadata } from '../../services/serving/inference-model.js';
import { endGone } from '../middleware/admit.js';
import { pathParameter, type ApiContext } from '../http-context.js';
import { readInput, resolveModel } from './asked-model.js';
import { batchCallOf } from './predict-batch.js';
import { ref, type RouteDefinition } from './route-definition.js';

const BODY_LIMIT = '32mb';
/** Clients of the protocol send JSON, octets, or no type at all. */
const readBytes = express.raw({ limit: BODY_LIMIT, type: () => true });
const LENGTH = 'Inference-Header-Content-Length';

/** What GET /v2 and gRPC's ServerMetadata answer. */
export const serverMetadata = () => ({
  name: 'ml-pipeline-service',
  version: releaseVersion(),
  extensions: ['binary_tensor_data'],
});

/** The version that a call is about. @throws ServiceError `model_not_found`, `version_not_deployed`, `version_not_found` */
export async function versionAsked(context: ApiContext, name: string, version: string | undefined) {
  const { model } = await resolveModel(name, context);
  return context.predict.versionFor(model, version === '' ? undefined : version);
}

const asked = (request: Request): [string, string | undefined] => [
  pathParameter(request, 'model'),
  request.params['version'] === undefined ? undefined : pathParameter(request, 'version'),
];

async function answerInference(request: Request, response: Response, context: ApiContext): Promise<void> {
  const served = await versionAsked(context, ...asked(request));
  const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
  const inference = readInferenceBody(body, request.get(LENGTH));
  const call = batchCallOf(response, served.model, asked(request)[1]);
  const { version, outputs } = await infer(context, inference, call, readInput);
  const { bytes, headerLength } = writeInferenceBody(
    { model: served.model, version, id: inference.id, outputs },
    inference.binaryOutputs,
  );
  if (headerLength !== undefined) response.setHeader(LENGTH, String(headerLength));
  response.type(headerLength === undefined ? 'application/json' : 'application/octet-stream').send(bytes);
}

const modelErrors = ['model_not_found', 'version_not_deployed', 'version_not_found'] as const;

/** The routes of a model, of the deployed version or of one that is named. */
function modelRoutes(prefix: string, what: string): RouteDefinition[] {
  const shared = { tag: 'Inference', role: 'predictor' } as const;
  return [
    {
      ...shared,
      method: 'get',
      path: prefix,
      summary: `The tensors of ${what}`,
      answers: [{ status: 200, description: 'Inputs and outputs', schema: ref('InferenceMetadata') }],
      errors: modelErrors,
      handle: async (request, _response, context) => inferenceMetadata(await versionAsked(context, ...asked(request))),
    },
    {
      ...shared,
      method: 'get',
      path: `${prefix}/ready`,
      summary: `Whether ${what} can answer`,
      answers: [{ status: 200, description: 'It can', schema: ref('InferenceReady') }],
      errors: modelErrors,
      async handle(request, _response, context) {
        const { model } = await versionAsked(context, ...asked(request));
        return { name: model, ready: true };
      },
    },
    {
      ...shared,
      method: 'post',
      path: `${prefix}/infer`,
      summary: `Predict with ${what} by the Open Inference Protocol`,
      description:
        'A tensor of [n] or [n, 1] a feature; rows are predictions, with `prediction_id` among the outputs. NaN and null count as not ' +
        'known. `parameters` hold what else a request of the kind has, such as `threshold`. Raw tensors may follow the JSON, with ' +
        `\`${LENGTH}\`.`,
      body: inferenceRequestSchema,
      otherBodies: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
      readBody: [readBytes],
      example: {
        inputs: [
          { name: 'activity_score', datatype: 'FP64', shape: [2], data: [0.8, 0.1] },
          { name: 'entity_id', datatype: 'BYTES', shape: [2], data: ['user_123', 'user_456'] },
        ],
      },
      answers: [
        { status: 200, description: 'A tensor a part of the answer', schema: ref('InferenceAnswer') },
        {
          status: 200,
          description: 'The same in binary',
          contentType: 'application/octet-stream',
          schema: { type: 'string', format: 'binary' },
        },
      ],
      errors: [...modelErrors, 'request_malformed', 'request_invalid', 'body_too_large'],
      async handle(request, response, context) {
        try {
          await answerInference(request, response, context);
        } catch (error) {
          return endGone(error, response);
        }
      },
    },
  ];
}

/** The Open Inference Protocol, version 2, over REST. */
export const openInferenceRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/v2',
    tag: 'Inference',
    summary: 'What this server is',
    role: 'public',
    answers: [{ status: 200, description: 'Name, version and extensions', schema: ref('InferenceServer') }],
    handle: () => Promise.resolve(serverMetadata()),
  },
  {
    method: 'get',
    path: '/v2/health/live',
    tag: 'Inference',
    summary: 'Whether the server runs',
    role: 'public',
    answers: [{ status: 200, description: 'It runs', schema: ref('InferenceLive') }],
    handle: () => Promise.resolve({ live: true }),
  },
  {
    method: 'get',
    path: '/v2/health/ready',
    tag: 'Inference',
    summary: 'Whether the server takes requests; each model has a route of its own',
    role: 'public',
    answers: [{ status: 200, description: 'It does', schema: ref('InferenceServerReady') }],
    errors: ['dependency_unavailable'],
    handle(_request, _response, context) {
      if (!context.isAccepting()) throw new ServiceError('dependency_unavailable', 'The server is shutting down.');
      return Promise.resolve({ ready: true });
    },
  },
  ...modelRoutes('/v2/models/{model}', 'the deployed version'),
  ...modelRoutes('/v2/models/{model}/versions/{version}', 'a version'),
];
