import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The variables of sign-in; `services/config.ts` reads them. */
export const authEnvironment = {
  AUTH_REQUIRED: z
    .enum(['true', 'false', '1', '0'])
    .default('false')
    .transform((value) => value === 'true' || value === '1')
    .describe(
      'Take only callers with a token; on by itself with AUTH_JWKS_URL or AUTH_PUBLIC_KEY. Alone it takes service tokens only (`npm run token`)',
    ),
  AUTH_JWKS_URL: z.string().optional().describe('https address of the key set (JWKS) that JWTs are checked with'),
  AUTH_PUBLIC_KEY: z
    .string()
    .optional()
    .describe('Instead of AUTH_JWKS_URL one public key or certificate: PEM (line ends may be \\n), or a file with it'),
  AUTH_ISSUER: z.string().optional().describe('`iss` that each JWT must have; needed for JWTs'),
  AUTH_AUDIENCE: z.string().optional().describe('`aud` that each JWT must have; needed for JWTs'),
  AUTH_ROLE_CLAIM: z
    .string()
    .min(1)
    .max(200)
    .default('role')
    .describe(
      'Claim with the role, or a list of roles of which the highest counts; a path such as `realm_access.roles` may be given. `role` also finds `roles`. Without one a caller is a viewer',
    ),
  AUTH_MODELS_CLAIM: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Claim, or a path to it, with the list of the models that the caller of a JWT may touch; `*` in it means all, and without the claim it is none. Without this setting JWTs reach all models',
    ),
  AUTH_LEEWAY: z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .default('30')
    .transform(Number)
    .pipe(z.number().max(300))
    .describe('Seconds that the clocks of the issuer and of this machine may differ'),
};

/** The algorithms that are taken, and no others, whatever a token says of itself. */
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Where the keys come from that JWTs are checked with. */
export type KeySource = { jwksUrl: string } | { publicKey: KeyObject; algorithm: Algorithm };

export interface JwtSettings {
  keys: KeySource;
  issuer: string;
  audience: string;
  roleClaim: string;
  modelsClaim?: string;
  leewaySeconds: number;
}

/** Present = each caller needs a token. */
export interface AuthSettings {
  /** Undefined = service tokens only. */
  jwt?: JwtSettings;
}

type AuthEnvironment = z.output<z.ZodObject<typeof authEnvironment>>;

/**
 * What the variables ask for.
 * @param problems gets a line for each that is wrong
 * @returns undefined where callers need no token
 */
export function readAuthSettings(env: AuthEnvironment, problems: string[]): AuthSettings | undefined {
  const { AUTH_JWKS_URL: url, AUTH_PUBLIC_KEY: key, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = env;
  if (!url && !key) {
    if (issuer || audience)
      problems.push('AUTH_ISSUER and AUTH_AUDIENCE are for JWTs: set AUTH_JWKS_URL or AUTH_PUBLIC_KEY as well.');
    return env.AUTH_REQUIRED ? {} : undefined;
  }
  if (url && key) problems.push('AUTH_JWKS_URL and AUTH_PUBLIC_KEY are both set. Keep one of them.');
  if (!issuer || !audience)
    problems.push('AUTH_ISSUER and AUTH_AUDIENCE must be set, or JWTs that were made for others would be taken.');
  const keys = url ? readJwksUrl(url, problems) : readPublicKey(key!, problems);
  if (!keys || !issuer || !audience) return undefined;
  const claims = { roleClaim: env.AUTH_ROLE_CLAIM, modelsClaim: env.AUTH_MODELS_CLAIM };
  return { jwt: { keys, issuer, audience, ...claims, leewaySeconds: env.AUTH_LEEWAY } };
}

const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[?::1\]?)$/;
export const isLoopback = (host: string) => LOOPBACK.test(host);

function readJwksUrl(text: string, problems: string[]): KeySource | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname)))
    return { jwksUrl: url.href };
  problems.push('AUTH_JWKS_URL must be an https:// address; http:// is taken of this machine only.');
  return undefined;
}

function readPublicKey(text: string, problems: string[]): KeySource | undefined {
  const refuse = (why: string) => void problems.push(`AUTH_PUBLIC_KEY ${why}.`);
  let publicKey: KeyObject;
  try {
    const pem = text.includes('-----BEGIN') ? text.replaceAll('\\n', '\n') : readFileSync(text, 'utf8');
    if (pem.includes('PRIVATE KEY')) return (refuse('has a private key: give the public one'), undefined);
    publicKey = createPublicKey(pem);
  } catch {
    return (refuse('is neither a public key or certificate in PEM nor a file with one that can be read'), undefined);
  }
  const algorithm = algorithmOf(publicKey);
  if (algorithm) return { publicKey, algorithm };
  return (refuse('must be RSA of at least 2048 bits, EC on P-256, or Ed25519'), undefined);
}

/** The one algorithm that a key is good for. */
function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm | undefined {
  if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? 'RS256' : undefined;
  if (asymmetricKeyType === 'ec') return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : undefined;
  return asymmetricKeyType === 'ed25519' ? 'EdDSA' : undefined;
}
