import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { ServiceError } from '../../core/errors.js';
import { includesRole, LOCAL_CALLER, type Role } from '../../core/roles.js';
import { tokenMissing, type Authenticator } from '../../services/auth/authenticator.js';
import { callerOf } from '../http-context.js';

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * The bearer token of a request.
 * @returns undefined where it has none, an empty text where it has another kind of credentials, or several: a proxy may have looked at another
 * of them than we would
 */
export function bearerOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string | undefined {
  let given: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length !== 13 || name.toLowerCase() !== 'authorization') continue;
    if (given !== undefined) return '';
    given = rawHeaders[at + 1]!;
  }
  return given === undefined ? undefined : (BEARER.exec(given)?.[1] ?? '');
}

/** Tells who calls. Whether that is somebody who may call the route is told by `authorize`, once the route is known. */
export function authenticate(authenticator: Authenticator | undefined) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    if (!authenticator) response.locals['caller'] = LOCAL_CALLER;
    else {
      const token = bearerOf(request);
      try {
        if (token !== undefined) response.locals['caller'] = await authenticator.authenticate(token);
      } catch (error) {
        response.locals['signInRefusal'] = error;
      }
    }
    next();
  };
}

/** Whether the token of a request is still good, for answers that last: it may end or be revoked meanwhile. */
export async function isStillSignedIn(
  request: Pick<IncomingMessage, 'rawHeaders'>,
  authenticator: Authenticator | undefined,
): Promise<boolean> {
  if (!authenticator) return true;
  try {
    await authenticator.authenticate(bearerOf(request) ?? '');
    return true;
  } catch (error) {
    // Where nobody can tell at present, what was good goes on.
    return !(error instanceof ServiceError && error.code === 'unauthenticated');
  }
}

/**
 * Lets those through who have the role.
 * @throws ServiceError `unauthenticated`, `role_insufficient`; `dependency_unavailable` where it cannot be told who calls
 */
export function authorize(role: 'public' | Role) {
  return function requireRole(_request: Request, response: Response, next: NextFunction): void {
    if (role !== 'public') checkRole(response, role);
    next();
  };
}

function checkRole(response: Response, role: Role): void {
  response.locals['neededRole'] = role;
  if (!response.locals['caller']) throw (response.locals['signInRefusal'] as Error | undefined) ?? tokenMissing();
  const caller = callerOf(response);
  if (!includesRole(caller.role, role))
    throw new ServiceError('role_insufficient', `This needs the role ${role}, and the caller is a ${caller.role}.`);
}

/** What a client is told of how to sign in (RFC 6750). */
export function challengeOf(locals: Response['locals'], error: ServiceError): string | undefined {
  const scheme = 'Bearer realm="ml-pipeline-service"';
  const role = locals['neededRole'] as Role | undefined;
  if (error.code === 'unauthenticated')
    return locals['signInRefusal'] === undefined ? scheme : `${scheme}, error="invalid_token"`;
  if (error.code === 'role_insufficient' && role) return `${scheme}, error="insufficient_scope", scope="${role}"`;
  return undefined;
}
