import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { ServiceError } from '../../core/errors.js';
import type { Logger } from '../telemetry/logger.js';

/** A set that old is asked for again, while the old one goes on. */
const STALE_MS = 10 * 60_000;
/** An unknown `kid` makes nobody ask more often than this. */
const ASK_EVERY_MS = 30_000;
const ANSWER_WITHIN_MS = 5000;
const MOST_BYTES = 2 ** 20;

export interface KeySetOptions {
  url: string;
  logger: Logger;
  /** Told when the keys are others than before. */
  onChange: () => void;
  askEveryMs?: number;
  staleMs?: number;
  now?: () => number;
}

/**
 * The keys of an issuer. They are fetched again when a token names one that is not among them, so that an issuer may change its keys at any time;
 * not more often than every 30 s, so that tokens with invented names cannot make this service a nuisance. While the issuer is
 * away the last good set goes on.
 */
export class KeySet {
  #find: JWTVerifyGetKey | undefined;
  #text = '';
  #askedAtMs = -Infinity;
  #goodAtMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(private readonly options: KeySetOptions) {}

  #nowMs(): number {
    return (this.options.now ?? Date.now)();
  }

  /** For `jwtVerify`. @throws ServiceError `dependency_unavailable` while no set has been fetched yet */
  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    const { staleMs = STALE_MS } = this.options;
    if (!this.#find) await this.#ask();
    else if (this.#nowMs() - this.#goodAtMs > staleMs) void this.#ask();
    if (!this.#find)
      throw new ServiceError(
        'dependency_unavailable',
        'The keys that tokens are checked with cannot be fetched at present. Try again shortly.',
        [],
        5,
      );
    try {
      return await this.#find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#ask();
      return this.#find(header, token);
    }
  };

  /** Fetches the set unless that was tried a moment ago. Never throws: what is known goes on. */
  async #ask(): Promise<void> {
    const { askEveryMs = ASK_EVERY_MS, logger, url } = this.options;
    if (this.#asking) return this.#asking;
    // Without any keys nobody can sign in, so the wait is shorter.
    if (this.#nowMs() - this.#askedAtMs < (this.#find ? askEveryMs : Math.min(askEveryMs, 1000))) return;
    this.#askedAtMs = this.#nowMs();
    this.#asking = this.#fetch()
      .catch((error: unknown) => logger.warn({ err: error, jwks: new URL(url).host }, 'the keys cannot be fetched'))
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    const response = await fetch(this.options.url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (!response.ok) throw new Error(`The address of the key set answered ${response.status}.`);
    const text = await readBounded(response);
    const { keys } = JSON.parse(text) as JSONWebKeySet;
    // A secret in a set of public keys would let everybody who can read it sign.
    const usable = (Array.isArray(keys) ? keys : []).filter(({ kty }) => ['RSA', 'EC', 'OKP'].includes(kty ?? ''));
    if (usable.length === 0) throw new Error('The key set has no key of the types RSA, EC or OKP.');
    this.#find = createLocalJWKSet({ keys: usable });
    this.#goodAtMs = this.#nowMs();
    if (this.#text !== text && this.#text !== '') this.options.onChange();
    this.#text = text;
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).byteLength;
    if (bytes > MOST_BYTES) throw new Error(`The key set has more than ${MOST_BYTES} bytes.`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
