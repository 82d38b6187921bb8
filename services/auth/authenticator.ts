import { ServiceError } from '../../core/errors.js';
import type { Caller } from '../../core/roles.js';
import type { Logger } from '../telemetry/logger.js';
import type { AuthSettings } from './auth-settings.js';
import { KeySet } from './key-set.js';
import { hashOf, TOKEN_PREFIX } from './token-store.js';
import type { TokenTable } from './token-table.js';
import { verifyJwt, type VerifiedJwt } from './verify-jwt.js';

/** Longer ones are refused before anything is computed from them. */
const LONGEST_TOKEN = 8192;
const MOST_VERIFIED = 10_000;

/** One text for all that can be wrong with a token: whoever tries out tokens learns nothing from it. */
const refused = () =>
  new ServiceError(
    'unauthenticated',
    'The bearer token is not valid here: it is malformed, has ended, was revoked, or was made for another service.',
  );

export const tokenMissing = () =>
  new ServiceError('unauthenticated', 'This needs a token: send the header `Authorization: Bearer <token>`.');

/** Tells who calls by the token that comes with a call: a JWT of the issuer, or a service token. */
export class Authenticator {
  /** JWTs that were checked, by their digests, until they end: a prediction must not wait for a signature. */
  readonly #verified = new Map<string, VerifiedJwt>();
  readonly #keySet: KeySet | undefined;

  constructor(private readonly options: { settings: AuthSettings; tokens: TokenTable; logger: Logger }) {
    const { settings, logger } = options;
    const keys = settings.jwt?.keys;
    if (keys && 'jwksUrl' in keys)
      // A key that was taken back must not go on through what it has signed.
      this.#keySet = new KeySet({ url: keys.jwksUrl, logger, onChange: () => this.#verified.clear() });
  }

  /** Who sent a token that is known already, at once and without any I/O; undefined where `authenticate` must tell. */
  recall(token: string): Caller | undefined {
    if (token.length > LONGEST_TOKEN) return undefined;
    const digest = hashOf(token).toString('base64');
    if (token.startsWith(TOKEN_PREFIX)) return this.options.tokens.find(digest);
    const known = this.#verified.get(digest);
    return known && known.endsAtMs > Date.now() ? known.caller : undefined;
  }

  /**
   * @throws ServiceError `unauthenticated`; `dependency_unavailable` where it cannot be told at present
   */
  async authenticate(token: string): Promise<Caller> {
    const known = this.recall(token);
    if (known) return known;
    if (token.length > LONGEST_TOKEN) throw refused();
    if (token.startsWith(TOKEN_PREFIX)) return this.#findToken(token);
    return this.#verify(token);
  }

  async #findToken(token: string): Promise<Caller> {
    const found = await this.options.tokens.look(hashOf(token).toString('base64'));
    if (found === 'away')
      throw new ServiceError(
        'dependency_unavailable',
        'The database cannot be reached at present, so that this token cannot be looked up. Try again shortly.',
        [],
        2,
      );
    if (!found) throw refused();
    return found;
  }

  async #verify(token: string): Promise<Caller> {
    const { settings, logger } = this.options;
    if (!settings.jwt) throw refused();
    const { keys } = settings.jwt;
    try {
      const getKey = 'publicKey' in keys ? () => Promise.resolve(keys.publicKey) : this.#keySet!.getKey;
      const verified = await verifyJwt(token, settings.jwt, getKey as KeySet['getKey']);
      const digest = hashOf(token).toString('base64');
      this.#verified.set(digest, verified);
      if (this.#verified.size > MOST_VERIFIED) this.#verified.delete(this.#verified.keys().next().value!);
      return verified.caller;
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      logger.info({ reason: (error as Error).message.slice(0, 200) }, 'a token was refused');
      throw refused();
    }
  }
}
