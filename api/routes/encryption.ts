import { z } from 'zod';
import { withDatabase } from '../../services/database/database.js';
import { reportKeys, requireWritingKey } from '../../services/encryption/reencrypt-files.js';
import { parseRequest } from '../../services/parse-request.js';
import { findKeyedJob, startJob } from '../../services/pipelines/start-job.js';
import { callerOf, correlationIdOf } from '../http-context.js';
import { idempotencyKeyOf, jobAccepted } from './job-accepted.js';
import { ref, type RouteDefinition } from './route-definition.js';

const nothing = z.strictObject({});
const shared = { tag: 'Operate', role: 'admin' } as const;

export const encryptionRoutes: RouteDefinition[] = [
  {
    ...shared,
    method: 'get',
    path: '/encryption/keys',
    summary: 'How many files of models, datasets and uploads are under which key',
    description:
      'By ids; no key is shown. One of `ENCRYPTION_KEYS` that is not in the list, nor the first, is needed by no file any more. It looks into the ' +
      'beginning of each file.',
    answers: [{ status: 200, description: 'The keys that files need', schema: ref('KeysReport') }],
    handle: (_request, _response, { config }) => reportKeys(config),
  },
  {
    ...shared,
    method: 'post',
    path: '/encryption/reencrypt',
    summary: 'Bring all files under the first of the keys',
    description:
      'Files that are under another key, or not encrypted yet, are written anew, each whole or not at all, while the service goes on. The result of the ' +
      'job is what `GET /encryption/keys` answers then. It ends with `dependency_unavailable` where the workers have another key first, and with ' +
      '`artifact_corrupt` when a file does not open: all others are done by then.',
    body: nothing,
    isBodyOptional: true,
    example: {},
    answers: [{ status: 202, description: 'The job was accepted', schema: ref('JobAccepted') }],
    errors: [
      'request_malformed',
      'request_invalid',
      'idempotency_key_reused',
      'encryption_conflict',
      'media_type_unsupported',
      'dependency_unavailable',
    ],
    async handle(request, response, context) {
      const input = {
        type: 'reencrypt' as const,
        sentBody: parseRequest(nothing, request.body),
        request: { key_id: requireWritingKey() },
        idempotencyKey: idempotencyKeyOf(request),
        correlationId: correlationIdOf(response),
        requestedBy: callerOf(response).subject,
      };
      if (!(await withDatabase(() => findKeyedJob(input, context))))
        context.metrics.jobsStarted.inc({ type: 'reencrypt' });
      return jobAccepted(response, await startJob(input, context));
    },
  },
];
