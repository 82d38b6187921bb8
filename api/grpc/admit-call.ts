import type { ServerUnaryCall } from '@grpc/grpc-js';
import { ServiceError } from '../../core/errors.js';
import { canonicalModelName } from '../../core/names.js';
import { includesRole, LOCAL_CALLER, type Caller, type Role } from '../../core/roles.js';
import { tokenMissing } from '../../services/auth/authenticator.js';
import type { ApiContext } from '../http-context.js';
import { refuseOtherModel } from '../model-scope.js';

/** Who may call what, once authentication is configured; a method that is not in it is for nobody. */
export const METHOD_ROLES: Readonly<Record<string, 'public' | Role>> = {
  ServerLive: 'public',
  ServerReady: 'public',
  ServerMetadata: 'public',
  ModelReady: 'predictor',
  ModelMetadata: 'predictor',
  ModelInfer: 'predictor',
};

/** Writes a denied call down, as those over HTTP. */
export async function noteDenied({ deniedCalls }: ApiContext, method: string, error: unknown): Promise<void> {
  if (!(error instanceof ServiceError) || (error.status !== 401 && error.status !== 403)) return;
  await deniedCalls.note({ action: `gRPC ${method}`, subject: 'anonymous', status: error.status });
}

const ANYBODY: Caller = { subject: 'anonymous', role: 'viewer' };

/**
 * Who calls, by the metadata `authorization`, if they may call this.
 * @param model the one that the call is about
 * @throws ServiceError as the routes of the protocol
 */
export async function admitCall(
  { authenticator }: ApiContext,
  method: string,
  call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata'>,
  model: string | undefined,
): Promise<Caller> {
  if (!authenticator) return LOCAL_CALLER;
  const role = METHOD_ROLES[method];
  if (role === 'public') return ANYBODY;
  const [given, ...more] = call.metadata.get('authorization');
  const token = /^Bearer +(\S+)$/i.exec(String(given ?? ''))?.[1];
  if (token === undefined || more.length > 0) throw tokenMissing();
  const caller = await authenticator.authenticate(token);
  if (!role || !includesRole(caller.role, role))
    throw new ServiceError(
      'role_insufficient',
      `This needs the role ${role ?? 'of nobody'}, and the caller is a ${caller.role}.`,
    );
  if (model !== undefined) refuseOtherModel(caller, canonicalModelName(model));
  return caller;
}
