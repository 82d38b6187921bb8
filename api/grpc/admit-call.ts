import type { ServerUnaryCall } from '@grpc/grpc-js';
import { ServiceError } from '../../core/errors.js';
import { canonicalModelName } from '../../core/names.js';
import { includesRole, LOCAL_CALLER, type Caller, type Role } from '../../core/roles.js';
import { tokenMissing, type Authenticator } from '../../services/auth/authenticator.js';
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

/** What does the same over HTTP, and so shares its rate in RATE_LIMIT_ROUTES. */
export const METHOD_ROUTES: Readonly<Record<string, string>> = {
  ModelReady: 'GET /v2/models/{model}/ready',
  ModelMetadata: 'GET /v2/models/{model}',
  ModelInfer: 'POST /v2/models/{model}/infer',
};

/** Writes a denied call down, as those over HTTP. */
export async function noteDenied({ deniedCalls }: ApiContext, method: string, error: unknown): Promise<void> {
  if (!(error instanceof ServiceError) || (error.status !== 401 && error.status !== 403)) return;
  await deniedCalls.note({ action: `gRPC ${method}`, subject: 'anonymous', status: error.status });
}

const ANYBODY: Caller = { subject: 'anonymous', role: 'viewer' };

/**
 * Who calls, by the metadata `authorization`, if they may call this and have not called too often.
 * @param model the one that the call is about
 * @throws ServiceError as the routes of the protocol
 */
export async function admitCall(
  { authenticator, admission }: ApiContext,
  method: string,
  call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'>,
  model: string | undefined,
): Promise<Caller> {
  const role = METHOD_ROLES[method];
  if (role === 'public') return authenticator ? ANYBODY : LOCAL_CALLER;
  const signedIn = authenticator ? await signIn(authenticator, call).catch((error: Error) => error) : LOCAL_CALLER;
  const named = signedIn instanceof Error || signedIn === LOCAL_CALLER ? undefined : signedIn.subject;
  const refusal = admission.refuseCall(named, addressOf(call), METHOD_ROUTES[method] ?? '');
  if (refusal) throw refusal;
  if (signedIn instanceof Error) throw signedIn;
  if (!role || !includesRole(signedIn.role, role))
    throw new ServiceError(
      'role_insufficient',
      `This needs the role ${role ?? 'of nobody'}, and the caller is a ${signedIn.role}.`,
    );
  if (model !== undefined) refuseOtherModel(signedIn, canonicalModelName(model));
  return signedIn;
}

async function signIn(
  authenticator: Authenticator,
  { metadata }: Pick<ServerUnaryCall<unknown, unknown>, 'metadata'>,
): Promise<Caller> {
  const [given, ...more] = metadata.get('authorization');
  const token = /^Bearer +(\S+)$/i.exec(String(given ?? ''))?.[1];
  if (token === undefined || more.length > 0) throw tokenMissing();
  return authenticator.authenticate(token);
}

/** As the address of a caller over HTTP, without the port. */
const addressOf = (call: Pick<ServerUnaryCall<unknown, unknown>, 'getPeer'>) =>
  call.getPeer().replace(/:\d+$/, '').replaceAll(/[[\]]/g, '');
