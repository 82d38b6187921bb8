import { jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { canonicalModelName } from '../../core/names.js';
import { highestRole, isOwnSubject, type Caller } from '../../core/roles.js';
import { ALGORITHMS, type JwtSettings } from './auth-settings.js';

export interface VerifiedJwt {
  caller: Caller;
  /** Milliseconds since 1970: not taken any more from then on. */
  endsAtMs: number;
}

/** Printable and short: it stands in the log and in the database. */
const SUBJECT = /^[\p{L}\p{N}\p{P}\p{S}][\p{L}\p{N}\p{P}\p{S} ]{0,199}$/u;

/**
 * Checks signature, algorithm, issuer, audience and times of a JWT.
 * @param getKey the key for a header
 * @returns who it speaks for
 * @throws Error of `jose`, or of its own, that says what is wrong with it, for the log and not for its sender
 */
export async function verifyJwt(
  token: string,
  { keys, issuer, audience, roleClaim, modelsClaim, leewaySeconds }: JwtSettings,
  getKey: JWTVerifyGetKey,
): Promise<VerifiedJwt> {
  const { payload } = await jwtVerify(token, getKey, {
    // A single key is good for a single algorithm, so that none of its tokens can be read in another way.
    algorithms: 'algorithm' in keys ? [keys.algorithm] : [...ALGORITHMS],
    issuer,
    audience,
    clockTolerance: leewaySeconds,
    requiredClaims: ['exp', 'sub'],
  });
  const { sub = '', exp = 0 } = payload;
  if (!SUBJECT.test(sub)) throw new Error('"sub" must be 1 to 200 printable characters');
  if (isOwnSubject(sub)) throw new Error('"sub" is a name that the service uses itself');
  const role = highestRole(rolesOf(payload, roleClaim)) ?? 'viewer';
  const models = modelsClaim === undefined ? undefined : modelsOf(payload, modelsClaim);
  return { caller: { subject: sub, role, ...(models ? { models } : {}) }, endsAtMs: (exp + leewaySeconds) * 1000 };
}

/** The words of the claim: by its very name, else along its path. */
function rolesOf(payload: JWTPayload, claim: string): unknown[] {
  const found = valueOf(payload, claim) ?? (claim === 'role' ? valueOf(payload, 'roles') : undefined);
  return Array.isArray(found) ? found : [found];
}

/** @returns undefined = all. @throws Error for a claim that is no list of names: what it should limit must not become unlimited */
function modelsOf(payload: JWTPayload, claim: string): string[] | undefined {
  const found = valueOf(payload, claim) ?? [];
  if (!Array.isArray(found) || !found.every((name) => typeof name === 'string'))
    throw new Error(`"${claim}" must be a list of names of models`);
  return found.includes('*') ? undefined : found.map(canonicalModelName);
}

function valueOf(payload: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(payload, claim)) return payload[claim];
  return claim.split('.').reduce<unknown>((value, key) => {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isObject ? (value as Record<string, unknown>)[key] : undefined;
  }, payload);
}
