import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServiceError } from '../../../core/errors.js';
import { KeySet } from '../../../services/auth/key-set.js';
import { verifyJwt } from '../../../services/auth/verify-jwt.js';
import { loadConfig } from '../../../services/config.js';
import { AUDIENCE, forge, ISSUER, Issuer } from '../../support/issuer.js';

const logger = pino({ level: 'silent' });
const DATABASE_URL = 'postgresql://u:p@127.0.0.1/db';
const load = (more: Record<string, string>) => loadConfig({ DATABASE_URL, ...more });
const forJwts = { AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE };

describe('the settings of sign-in', () => {
  const { publicKey: rsa, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = rsa.export({ type: 'spki', format: 'pem' }).toString();

  it('let the API listen anywhere once callers need a token, and nowhere but on loopback before', () => {
    expect(() => load({ HOST: '0.0.0.0' })).toThrow(/AUTH_JWKS_URL.*AUTH_REQUIRED=true/);
    expect(load({ HOST: '0.0.0.0', AUTH_REQUIRED: 'true' }).auth).toEqual({});
    const { auth } = load({ HOST: '::', AUTH_PUBLIC_KEY: pem.replaceAll('\n', '\\n'), ...forJwts });
    expect(auth?.jwt).toMatchObject({ issuer: ISSUER, audience: AUDIENCE, roleClaim: 'role', leewaySeconds: 30 });
    expect(auth?.jwt?.keys).toMatchObject({ algorithm: 'RS256' });
  });

  it('are refused where tokens of others would be taken, or secrets or weak keys are given', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey.export({
      type: 'spki',
      format: 'pem',
    });
    const wrong: [Record<string, string>, RegExp][] = [
      [{ AUTH_PUBLIC_KEY: pem }, /AUTH_ISSUER and AUTH_AUDIENCE must be set/],
      [{ AUTH_PUBLIC_KEY: pem, AUTH_JWKS_URL: 'https://a.test/k', ...forJwts }, /both set/],
      [{ AUTH_JWKS_URL: 'http://a.test/keys', ...forJwts }, /https/],
      [{ AUTH_JWKS_URL: 'nonsense', ...forJwts }, /https/],
      [{ AUTH_PUBLIC_KEY: '/no/such/file', ...forJwts }, /neither a public key/],
      [{ AUTH_PUBLIC_KEY: String(privateKey.export({ type: 'pkcs8', format: 'pem' })), ...forJwts }, /private key/],
      [{ AUTH_PUBLIC_KEY: String(short), ...forJwts }, /2048/],
      [{ AUTH_PUBLIC_KEY: String(curve), ...forJwts }, /P-256/],
      [{ ...forJwts }, /are for JWTs/],
      [{ AUTH_LEEWAY: '301' }, /AUTH_LEEWAY/],
    ];
    for (const [env, message] of wrong) expect(() => load(env), String(message)).toThrow(message);
  });
});

describe('a JWT', () => {
  let issuer: Issuer;
  const settingsFor = (more: Record<string, string> = {}) =>
    load({ AUTH_JWKS_URL: issuer.url, ...forJwts, ...more }).auth!.jwt!;
  const openKeys = (more: Partial<ConstructorParameters<typeof KeySet>[0]> = {}) =>
    new KeySet({ url: issuer.url, logger, onChange: () => undefined, ...more });
  const nowSeconds = () => Math.floor(Date.now() / 1000);

  beforeAll(async () => {
    issuer = await Issuer.start('RS256', 'ES256', 'EdDSA');
  });
  afterAll(() => issuer.stop());

  it.each(['rs256', 'es256', 'eddsa'])('signed with a key of the set by %s is taken, with its subject', async (kid) => {
    const token = await issuer.sign({ sub: `of ${kid}`, role: 'engineer' }, { kid });
    const { caller } = await verifyJwt(token, settingsFor(), openKeys().getKey);
    expect(caller).toEqual({ subject: `of ${kid}`, role: 'engineer' });
  });

  it('has the highest of its roles that are known here, by any name and path of the claim, and is a viewer without', async () => {
    const roleOf = async (claims: Record<string, unknown>, claim = 'role') =>
      (await verifyJwt(await issuer.sign({ ...claims }), settingsFor({ AUTH_ROLE_CLAIM: claim }), openKeys().getKey))
        .caller.role;
    expect(await roleOf({})).toBe('viewer');
    expect(await roleOf({ role: 'root' })).toBe('viewer');
    expect(await roleOf({ role: { admin: true } })).toBe('viewer');
    expect(await roleOf({ role: 'ADMIN' })).toBe('viewer');
    expect(await roleOf({ roles: ['other', 'operator', 'predictor'] })).toBe('operator');
    expect(await roleOf({ realm_access: { roles: ['admin'] } }, 'realm_access.roles')).toBe('admin');
    expect(await roleOf({ 'https://x.test/role': 'engineer' }, 'https://x.test/role')).toBe('engineer');
    expect(await roleOf({ role: 'admin' }, '__proto__.role')).toBe('viewer');
  });

  it('reaches the models of its claim where one is asked for, none without it, and all with `*` only', async () => {
    const modelsOf = async (claims: Record<string, unknown>, claim?: string) => {
      const settings = settingsFor(claim === undefined ? {} : { AUTH_MODELS_CLAIM: claim });
      return (await verifyJwt(await issuer.sign({ ...claims }), settings, openKeys().getKey)).caller.models;
    };
    expect(await modelsOf({ models: ['churn'] })).toBeUndefined();
    expect(await modelsOf({ models: ['churn', 'user-behavior'] }, 'models')).toEqual(['churn', 'user_behavior']);
    expect(await modelsOf({ app: { models: ['churn'] } }, 'app.models')).toEqual(['churn']);
    expect(await modelsOf({}, 'models')).toEqual([]);
    expect(await modelsOf({ models: ['*'] }, 'models')).toBeUndefined();
    for (const models of ['*', 'churn', { 0: 'churn' }, [1]])
      await expect(modelsOf({ models }, 'models'), JSON.stringify(models)).rejects.toThrow(/list of names/);
  });

  it('is refused when any of its claims does not fit', async () => {
    const settings = settingsFor({ AUTH_LEEWAY: '5' });
    const { getKey } = openKeys();
    const wrong: [string, Record<string, unknown>][] = [
      ['has ended', { exp: nowSeconds() - 6 }],
      ['has no end', { exp: undefined }],
      ['is not valid yet', { nbf: nowSeconds() + 60 }],
      ['is of another issuer', { iss: 'https://other.test' }],
      ['is for another audience', { aud: 'other' }],
      ['names no audience', { aud: undefined }],
      ['names nobody', { sub: undefined }],
      ['names nobody by an empty name', { sub: '' }],
      ['has line ends in its name', { sub: 'ada\nlevel=error' }],
      ['calls itself as a service token', { sub: 'token:deployer' }],
      ['calls itself as the service', { sub: 'system' }],
      ['has a name without end', { sub: 'a'.repeat(201) }],
    ];
    for (const [title, claims] of wrong)
      await expect(verifyJwt(await issuer.sign(claims), settings, getKey), title).rejects.toThrow(
        /claim|"sub"|missing/,
      );
    // Within the leeway it is still taken.
    await verifyJwt(await issuer.sign({ exp: nowSeconds() - 3, nbf: nowSeconds() + 3 }), settings, getKey);
    await verifyJwt(await issuer.sign({ aud: ['other', AUDIENCE] }), settings, getKey);
  });

  it('is refused when its signature is none, of another algorithm, or of another key', async () => {
    const settings = settingsFor();
    const { getKey } = openKeys();
    const good = await issuer.sign();
    const [header, claims, signature] = good.split('.') as [string, string, string];
    const payload = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object;
    const hmac = (key: string) => createHmac('sha256', key);
    const asHs256 = forge({ alg: 'HS256', kid: 'rs256' }, payload).slice(0, -1);
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const ownKey = {
      alg: 'RS256',
      kid: 'rs256',
      jwk: stranger.export({ format: 'jwk' }),
      jku: 'http://127.0.0.1:1/',
      x5u: 'x',
    };
    const byStranger = forge(ownKey, payload).slice(0, -1);
    const tokens = [
      forge({ alg: 'none' }, payload),
      forge({ alg: 'nOnE', kid: 'rs256' }, payload),
      `${asHs256}.${hmac(JSON.stringify(issuer.publicJwk())).update(asHs256).digest('base64url')}`,
      `${byStranger}.${sign('sha256', Buffer.from(byStranger), createPrivateKey(stranger.export({ type: 'pkcs8', format: 'pem' }))).toString('base64url')}`,
      `${header}.${claims}.`,
      `${header}.${claims}`,
      `${header}.${Buffer.from(JSON.stringify({ ...payload, role: 'admin' })).toString('base64url')}.${signature}`,
      `${forge({ alg: 'RS256', kid: 'rs256', crit: ['x'], x: 1 }, payload).slice(0, -1)}.${signature}`,
      ...['../../etc/passwd', "' OR 1=1 --", 'es256', ''].map(
        (kid) => `${forge({ alg: 'RS256', kid }, payload).slice(0, -1)}.${signature}`,
      ),
      '',
      '..',
      'a.b.c',
    ];
    for (const token of tokens)
      await expect(verifyJwt(token, settings, getKey), token.slice(0, 60)).rejects.toThrow(
        /nvalid|"alg"|no applicable|signature|Extension/,
      );
    await verifyJwt(good, settings, getKey);
  });

  it('of a new key is taken at once, of a removed one no more, and invented keys make nobody ask again and again', async () => {
    let nowMs = 1_000_000;
    let changes = 0;
    const { getKey } = openKeys({ now: () => nowMs, onChange: () => changes++ });
    const settings = settingsFor();
    await verifyJwt(await issuer.sign(), settings, getKey);
    const asked = issuer.asked;
    await issuer.addKey('ES256', 'next');
    const byNext = await issuer.sign({}, { kid: 'next' });
    await expect(verifyJwt(byNext, settings, getKey), 'within 30 s of the last time').rejects.toThrow(
      /no applicable key/,
    );
    expect(issuer.asked).toBe(asked);
    nowMs += 31_000;
    await verifyJwt(byNext, settings, getKey);
    expect([issuer.asked - asked, changes]).toEqual([1, 1]);
    for (let i = 0; i < 20; i++)
      await verifyJwt(`${forge({ alg: 'RS256', kid: `k${i}` }, {})}AAAA`, settings, getKey).catch(() => undefined);
    expect(issuer.asked - asked).toBe(1);
    issuer.removeKey('next');
    nowMs += 11 * 60_000;
    await verifyJwt(byNext, settings, getKey);
    await expect.poll(() => verifyJwt(byNext, settings, getKey).catch(() => 'refused')).toBe('refused');
  });

  it('goes on being taken while the issuer is away, and cannot be told before its keys were ever seen', async () => {
    let nowMs = 1_000_000;
    const known = openKeys({ now: () => nowMs });
    const settings = settingsFor();
    await verifyJwt(await issuer.sign(), settings, known.getKey);
    issuer.failure = 500;
    nowMs += 3_600_000;
    await verifyJwt(await issuer.sign(), settings, known.getKey);
    const fresh = openKeys({ now: () => nowMs });
    const refusal = await verifyJwt(await issuer.sign(), settings, fresh.getKey).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ServiceError);
    expect(refusal).toMatchObject({ code: 'dependency_unavailable' });
    issuer.failure = undefined;
    nowMs += 1001;
    await verifyJwt(await issuer.sign(), settings, fresh.getKey);
  });
});
