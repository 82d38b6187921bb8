import type { NextFunction, Request, Response } from 'express';
import { ServiceError, type ErrorCode } from '../core/errors.js';
import type { Caller } from '../core/roles.js';
import type { AuditNote } from '../services/audit/audit-log.js';
import { withDatabase } from '../services/database/database.js';
import { within } from '../services/within.js';
import { correlationIdOf, type ApiContext } from './http-context.js';
import { modelNamed } from './model-scope.js';
import type { RouteDefinition } from './routes/route-definition.js';

/** What changes nothing, or has a log of its own that must not wait for anything: predictions, feedback and events. */
const UNAUDITED =
  /^\/(predict|predictions|v2)\b|^\/data\/events\/|^\/features\/(online|historical)$|^\/experiments\/plan$/;
/** The name of a person does not belong into a log that nobody can change. */
const PERSONAL = ['entity_id'];
/** A failure must not wait for a database that is away. */
const PATIENCE_MS = 250;
const DENIED: readonly ErrorCode[] = ['unauthenticated', 'certificate_refused', 'role_insufficient', 'site_forbidden'];

export const isAudited = ({ method, path }: RouteDefinition) => method !== 'get' && !UNAUDITED.test(path);

/** What is told of every call: its route and what its path names, never its body or its query. */
function describeCall(request: Request, response: Response, status: number): Omit<AuditNote, 'kind'> {
  const caller = response.locals['caller'] as Caller | undefined;
  const route = (response.locals['route'] as string | undefined) ?? 'unmatched';
  const named = Object.entries(request.params).filter(([name]) => !PERSONAL.includes(name));
  return {
    action: `${request.method} ${route}`,
    subject: caller?.subject ?? 'anonymous',
    role: caller?.role,
    address: request.socket.remoteAddress,
    model: storable(modelNamed(route, request)),
    target: named.length > 0 ? storable(named.map(([, value]) => String(value)).join(' ')) : undefined,
    status,
    correlationId: correlationIdOf(response),
  };
}

/** Short, and such as the database takes. */
const storable = (text: string | undefined) => text?.slice(0, 300).replaceAll(/[\0\p{Surrogate}]/gu, '\ufffd');

/**
 * Writes a call that changes something down, before it is answered. The change itself stands in the log as well, written in its own transaction.
 * @throws ServiceError `dependency_unavailable`: a caller that hears of no success asks again
 */
export async function auditCall(
  request: Request,
  response: Response,
  { audit }: ApiContext,
  status: number,
): Promise<void> {
  await withDatabase(() => audit.note({ kind: 'call', ...describeCall(request, response, status) }));
}

/** Writes a call down that failed on our side: some of what it should change may be changed. What cannot be written is in the log. */
export async function auditFailure(
  error: unknown,
  request: Request,
  response: Response,
  context: ApiContext,
): Promise<void> {
  const status = error instanceof ServiceError ? error.status : 500;
  if (status < 500) return;
  try {
    await within(PATIENCE_MS, auditCall(request, response, context, status));
  } catch (reason) {
    context.logger.warn(
      { err: reason, action: request.method },
      'a failed call could not be written into the audit log',
    );
  }
}

/** Writes denied calls down, those included that were answered as if there were nothing. */
export function auditDenied({ deniedCalls }: ApiContext) {
  return async (error: unknown, request: Request, response: Response, next: NextFunction): Promise<void> => {
    const isDenied =
      error instanceof ServiceError && (DENIED.includes(error.code) || response.locals['isHidden'] === true);
    if (isDenied) await deniedCalls.note(describeCall(request, response, error.status));
    next(error);
  };
}
