import { exportQuerySchema } from '../../core/schemas/exchange.js';
import { withDatabase } from '../../services/database/database.js';
import { exportInThread } from '../../services/onnx/export-in-thread.js';
import { parseRequest } from '../../services/parse-request.js';
import { modelDefinition } from '../../services/training/models-config.js';
import { pathParameter } from '../http-context.js';
import type { RouteDefinition } from './route-definition.js';

const BYTES = 'application/octet-stream';

/** Models that come from elsewhere, or go there. */
export const exchangeRoutes: RouteDefinition[] = [
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
