import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import { auditQuerySchema, auditVerifyQuerySchema } from '../../core/schemas/audit.js';
import type { AuditFilter } from '../../services/audit/audit-log.js';
import { verifyAudit } from '../../services/audit/verify-audit.js';
import { withDatabase } from '../../services/database/database.js';
import { parseRequest } from '../../services/parse-request.js';
import type { ApiContext } from '../http-context.js';
import { listOf, ref, type RouteDefinition } from './route-definition.js';

const NDJSON = 'application/x-ndjson';
const shared = { method: 'get', tag: 'Access', role: 'admin' } as const;

/** All that fits as JSON lines, oldest first, as fast as the caller takes them. */
async function exportLines(filter: AuditFilter, request: Request, response: Response, { audit, logger }: ApiContext) {
  const chunks = audit.walk(filter);
  // What cannot be read at all is still answered as a problem.
  const first = await withDatabase(() => chunks.next());
  async function* lines() {
    for (let chunk = first; !chunk.done; chunk = await chunks.next())
      yield chunk.value.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }
  response.type(NDJSON);
  await pipeline(Readable.from(lines()), response).catch((error: unknown) => {
    if (!request.destroyed) logger.warn({ err: error }, 'an export of the audit log was cut off');
  });
}

export const auditRoutes: RouteDefinition[] = [
  {
    ...shared,
    path: '/audit',
    summary: 'What was done, by whom, newest first',
    description:
      'Every call that changes something, every denied call, every change of what matters, every decision about traffic, and the use of tokens. ' +
      'Entries have no bodies, secrets or feature values. `Accept: application/x-ndjson` gives all that fits as JSON lines, oldest first.',
    query: auditQuerySchema,
    answers: [
      { status: 200, description: 'A page of entries', schema: listOf('AuditEntry') },
      { status: 200, description: 'All entries, one a line', contentType: NDJSON, schema: { type: 'string' } },
    ],
    errors: ['request_invalid', 'dependency_unavailable'],
    async handle(request, response, context) {
      const { limit, cursor, ...filter } = parseRequest(auditQuerySchema, request.query);
      if (request.accepts(['application/json', NDJSON]) !== NDJSON)
        return withDatabase(() => context.audit.list(filter, { limit, cursor }));
      await exportLines(filter, request, response, context);
      return undefined;
    },
  },
  {
    ...shared,
    path: '/audit/verify',
    summary: 'Check the chain of the audit log from end to end',
    description:
      'Finds the first entry that was changed, removed or moved. Whoever owns the database could write the whole chain anew: keep `head` elsewhere from time to time ' +
      '(the log of the service does, hourly) and send it as `seq` and `hash`.',
    query: auditVerifyQuerySchema,
    answers: [{ status: 200, description: 'Whether the log is as it was written', schema: ref('AuditVerdict') }],
    errors: ['request_invalid', 'dependency_unavailable'],
    handle(request, _response, { database }) {
      const { seq, hash } = parseRequest(auditVerifyQuerySchema, request.query);
      const anchor = seq === undefined || hash === undefined ? undefined : { seq, hash };
      return withDatabase(() => verifyAudit(database, anchor));
    },
  },
];
