import { exportQuerySchema, importRequestSchema } from '../../core/schemas/exchange.js';
import { withDatabase } from '../../services/database/database.js';
import { createMlflowClient } from '../../services/mlflow/mlflow-client.js';
import { exportInThread } from '../../services/onnx/export-in-thread.js';
import { importVersion } from '../../services/onnx/import-version.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import { ref, type RouteDefinition } from './route-definition.js';

const BYTES = 'application/octet-stream';

/** Models that come from elsewhere, or go there. */
export const exchangeRoutes: RouteDefinition[] = [
  {
    method: 'post',
    path: '/models/{model}/versions/import',
    tag: 'Models',
    summary: 'Take an ONNX file, or a model of an MLflow server, as a version',
    description:
      'For models of the kinds classification and regression. The file is looked at (operators, no data outside it, inputs and outputs), tried in a ' +
      'process of its own, and its answers to `examples` are written down, which it is held to each time that it is loaded. The version serves like any ' +
      'other; as nothing here has measured it, its deployment needs `allow_unpromotable`. The same file and request give the same version again. Pickles and other ' +
      'files that hold code are never loaded.',
    role: 'engineer',
    body: importRequestSchema,
    example: {
      source: 'models:/churn@champion',
      features: [{ name: 'usage' }, { name: 'tickets' }],
      classes: ['stay', 'leave'],
      examples: [{ features: { usage: 12.5, tickets: 3 } }],
    },
    answers: [{ status: 201, description: 'The version', schema: ref('Version') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'model_not_found',
      'import_rejected',
      'source_forbidden',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const body = parseRequest(importRequestSchema, request.body);
      const definition = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const { mlflow } = context.config;
      const client = mlflow && createMlflowClient(mlflow.server, mlflow.token);
      const { model, version } = await withDatabase(() =>
        importVersion(definition, body, { ...context, mlflow: client }),
      );
      response.status(201).setHeader('Location', `/models/${model}/versions/${version}`);
      return withDatabase(() => context.versions.get(model, version));
    },
  },
  {
    method: 'get',
    path: '/models/{model}/versions/{version}/export',
    tag: 'Models',
    summary: 'A version as a file for other runtimes',
    description:
      'ONNX, with encoder, calibration and decision: the file takes the features as they are, an input each, and gives the answers of this ' +
      'service within 1e-5. What the format has nothing for, such as free text, is refused with the reason.',
    role: 'viewer',
    query: exportQuerySchema,
    answers: [
      { status: 200, description: 'The file', contentType: BYTES, schema: { type: 'string', format: 'binary' } },
    ],
    errors: ['request_invalid', 'model_not_found', 'version_not_found', 'export_unsupported', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { format } = parseRequest(exportQuerySchema, request.query);
      const { name } = modelDefinition(await context.readModelsConfig(), pathParameter(request, 'model'));
      const row = await withDatabase(() => context.versions.find(name, pathParameter(request, 'version')));
      const { modelStoragePath } = context.config;
      const { version, digest } = row;
      const bytes = await exportInThread({ modelStoragePath, model: name, version, digest });
      response.attachment(`${name}-${version}.${format}`).type(BYTES).send(Buffer.from(bytes));
      return undefined;
    },
  },
];
