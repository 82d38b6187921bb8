import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ServiceError } from '../../core/errors.js';
import type { HttpOptions } from '../../core/schemas/ingestion.js';
import type { Config } from '../config.js';
import { hostOf } from '../network/find-address.js';
import { openUrl } from '../network/open-url.js';
import { readSecret } from './read-secret.js';

const MOST_TRIES = 6;
const FIRST_PAUSE_MS = 500;
/** A server that asks for more patience than this gets its next chance when the step of the job is tried again. */
const LONGEST_PAUSE_MS = 600_000;

export interface Answer {
  headers: IncomingMessage['headers'];
  /** Which address has answered, after redirects. */
  url: URL;
}

/** Asks one server, not faster than it wants to be asked. */
export class PoliteClient {
  #nextAtMs = 0;
  readonly #origin: string;

  /** @param start the address that the user has given: only its origin gets credentials */
  constructor(
    private readonly start: URL,
    private readonly options: HttpOptions | undefined,
    private readonly settings: Config['sources'],
    private readonly signal: AbortSignal,
  ) {
    this.#origin = start.origin;
  }

  /**
   * Gets an address and hands the unpacked body on. Waits as `Retry-After` says, and tries again what may pass: no answer, 408, 429, 5xx.
   * @param take gets the body anew with each try
   * @throws ServiceError `source_unreadable` for any other status; Error when it still fails after six tries
   */
  async get(url: URL, take: (answer: Answer, body: AsyncIterable<Buffer>) => Promise<void>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      await this.#awaitTurn();
      const outcome = await this.#try(url, take);
      if ('answer' in outcome) return outcome.answer;
      const pauseMs = outcome.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1);
      if (attempt === MOST_TRIES || pauseMs > LONGEST_PAUSE_MS) throw new Error(outcome.problem);
      await sleep(pauseMs, undefined, { signal: this.signal });
    }
  }

  async #awaitTurn(): Promise<void> {
    const perSecond = this.options?.requests_per_second;
    if (perSecond === undefined) return;
    const nowMs = performance.now();
    const turnMs = Math.max(nowMs, this.#nextAtMs);
    this.#nextAtMs = turnMs + 1000 / perSecond;
    if (turnMs > nowMs) await sleep(turnMs - nowMs, undefined, { signal: this.signal });
  }

  async #try(
    url: URL,
    take: (answer: Answer, body: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<{ answer: Answer } | { problem: string; retryAfterMs?: number }> {
    try {
      const { answer, url: from } = await openUrl(await this.#request(url));
      const status = answer.statusCode ?? 0;
      if (status === 200) {
        const head = { headers: answer.headers, url: from };
        await pipeline(answer, unpacker(answer), async (body: AsyncIterable<Buffer>) => take(head, body), {
          signal: this.signal,
        });
        return { answer: head };
      }
      answer.destroy();
      const isPassing = status === 408 || status === 429 || status >= 500;
      if (!isPassing) throw unreadable(refusal(status));
      return { problem: `The source answered ${status}.`, retryAfterMs: retryAfterMs(answer.headers['retry-after']) };
    } catch (error) {
      this.signal.throwIfAborted();
      if (error instanceof ServiceError) throw error;
      // Without what the error says: it may have the address in it.
      const { code } = error as { code?: string };
      return { problem: `The source could not be read${code ? ` (${code})` : ''}.` };
    }
  }

  async #request(url: URL) {
    const { allowedHosts, caFile, secretsFile } = this.settings;
    const secretHeaders: Record<string, string> = {};
    if (url.origin === this.#origin) {
      const { username, password } = this.start;
      if (username || password) {
        const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
        secretHeaders['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
      }
      if (this.options?.secret) {
        const secret = await readSecret(secretsFile, this.options.secret, hostOf(url));
        const { prefix, header } = this.options;
        secretHeaders[header.toLowerCase()] = prefix ? `${prefix} ${secret}` : secret;
      }
    }
    return {
      url,
      headers: { 'accept-encoding': 'gzip, deflate, br', accept: '*/*' },
      secretHeaders,
      allowedHosts,
      ca: caFile ? await readFile(caFile, 'utf8') : undefined,
      signal: this.signal,
    };
  }
}

const unreadable = (message: string) => new ServiceError('source_unreadable', message);

function refusal(status: number): string {
  if (status === 401 || status === 403)
    return `The source answered ${status}: it wants credentials, or others. Name a secret in options.http.secret.`;
  return `The source answered ${status}.`;
}

function unpacker(answer: IncomingMessage) {
  const encoding = answer.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip();
  if (encoding === 'deflate') return createInflate();
  if (encoding === 'br') return createBrotliDecompress();
  if (encoding !== 'identity') throw unreadable('The source packs its answer in a way that was not asked for.');
  return async function* (body: AsyncIterable<Buffer>) {
    yield* body;
  };
}

/** @param value seconds, or a time */
export function retryAfterMs(value: string | undefined, nowMs = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
