import { pageQuerySchema } from '../../core/schemas/listing.js';
import { acceptSchemaRequestSchema } from '../../core/schemas/expectation.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import { acceptSchema, listSchemas } from '../../services/validation/data-schemas.js';
import { callerOf, pathParameter } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

export const dataSchemaRoutes: RouteDefinition[] = [
  {
    method: 'get',
    path: '/data/schemas/{data_type}',
    tag: 'Data',
    summary: 'The schema of a data type: every version, and what changed',
    description:
      '`current` marks the version that snapshots are held to; one without `accepted_at` waits for somebody to accept it.',
    role: 'viewer',
    query: pageQuerySchema,
    answers: [{ status: 200, description: 'A page of versions', schema: listOf('DataSchema') }],
    errors: ['schema_not_found', 'request_invalid', 'dependency_unavailable'],
    async handle(request, _response, context) {
      const page = parseRequest(pageQuerySchema, request.query);
      return withDatabase(() => listSchemas(context.database, pathParameter(request, 'data_type'), page));
    },
  },
  {
    method: 'post',
    path: '/data/schemas/{data_type}/accept',
    tag: 'Data',
    summary: 'Accept a schema that lost a column or narrowed a type',
    description:
      'From then on snapshots are held to this version. The job that was stopped is started again by its caller.',
    role: 'engineer',
    body: acceptSchemaRequestSchema,
    example: { version: 2 },
    answers: [{ status: 200, description: 'The schema that holds now', schema: ref('DataSchema') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'schema_not_found',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const { version } = parseRequest(acceptSchemaRequestSchema, request.body);
      const { subject } = callerOf(response);
      return withDatabase(() => acceptSchema(context.database, pathParameter(request, 'data_type'), version, subject));
    },
  },
];
