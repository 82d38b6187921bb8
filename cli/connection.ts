import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { createClient, ServiceProblem } from '../clients/typescript/client.js';
import { CommandError, EXIT, type ExitCode } from './exit-codes.js';
import { explainRequest, PLACEHOLDERS, type ExplainedRequest } from './explain-request.js';
import type { Session } from './session-file.js';
import { createTrustingFetch } from './trusting-fetch.js';

const ANSWER_WITHIN_MS = 60_000;

/** Thrown when all that --explain can know without answers has been explained. */
export class ExplainedEnough extends Error {
  override readonly name = 'ExplainedEnough';
}

/** The way to one service. Whatever goes wrong on it is a CommandError that says what to do. */
export interface Connection {
  readonly session: Session;
  /** With --explain: nothing is sent. */
  readonly isExplaining: boolean;
  /** The typed client. */
  readonly client: ReturnType<typeof createClient>;
  /** For paths that the typed client does not know: those that a newer service has. */
  get(path: string, query?: Record<string, string | undefined>): Promise<unknown>;
  /** As `get`, for what is told to the service. */
  post(path: string, body?: unknown): Promise<unknown>;
  /** An answer that is no JSON, such as a stream of events. */
  open(path: string, signal?: AbortSignal): Promise<Response>;
  /** Sends a file from the disk, never all of it in memory. @param onSent is told how much has been sent */
  sendFile(path: string, file: string, contentType: string, onSent?: (bytes: number) => void): Promise<unknown>;
}

/** @param explain called with each request instead of sending it */
export function connect(session: Session, explain?: (request: ExplainedRequest) => void): Connection {
  const send = explain ? explainingFetch(session, explain) : reachingFetch(session);
  const client = createClient(session.url, { fetch: send });
  const loose = client as unknown as Record<'get' | 'post', (path: string, given: object) => Promise<unknown>>;
  const open = async (path: string, init: RequestInit) => {
    const response = await send(`${session.url}${path}`, init);
    if (response.ok) return response;
    const text = await response.text();
    // The client knows how to read a problem; it is asked to read this one.
    return createClient(session.url, {
      fetch: () => Promise.resolve(new Response(text, { status: response.status, headers: response.headers })),
    })
      .get('/health/live')
      .then(() => response);
  };
  return {
    session,
    isExplaining: explain !== undefined,
    client,
    get: (path, query = {}) => loose.get(path, { query }),
    post: (path, body = {}) => loose.post(path, { body }),
    open: (path, signal) =>
      open(path, { headers: { accept: 'text/event-stream, */*' }, ...(signal ? { signal } : {}) }),
    async sendFile(path, file, contentType, onSent) {
      const stream = () => {
        const content = createReadStream(file);
        if (onSent) content.on('data', () => onSent(content.bytesRead));
        return Readable.toWeb(content) as unknown as NonNullable<RequestInit['body']>;
      };
      const response = await open(path, {
        method: 'POST',
        headers: { 'content-type': contentType, 'x-sent-file': file },
        body: explain ? file : stream(),
        duplex: 'half',
      } as RequestInit);
      return (await response.json()) as unknown;
    },
  };
}

function reachingFetch({ url, token, trust = {} }: Session): typeof fetch {
  const sendTo = createTrustingFetch(trust);
  return async (target, init = {}) => {
    const headers = new Headers(init.headers);
    headers.delete('x-sent-file');
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const isStream =
      headers.get('accept')?.startsWith('text/event-stream') === true || init.body instanceof ReadableStream;
    const deadline = isStream ? [] : [AbortSignal.timeout(ANSWER_WITHIN_MS)];
    const signal = AbortSignal.any([...(init.signal ? [init.signal] : []), ...deadline]);
    try {
      return await sendTo(target, { ...init, headers, signal });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw unreachable(url, error);
    }
  };
}

/** Explains each request instead of sending it. A call that starts work is answered with placeholders, so that what follows is explained too. */
function explainingFetch({ token }: Session, explain: (request: ExplainedRequest) => void): typeof fetch {
  return (target, init = {}) => {
    const headers = new Headers(init.headers);
    const file = headers.get('x-sent-file');
    const method = init.method ?? 'GET';
    // A URL escapes `$` in paths nowhere, but a client escapes ids.
    const url = String(target as string | URL).replaceAll('%24', '$');
    explain(
      explainRequest({
        method,
        url,
        hasToken: token !== undefined,
        isStream: headers.get('accept')?.startsWith('text/event-stream') === true,
        ...(file !== null ? { body: { file } } : typeof init.body === 'string' ? { body: init.body } : {}),
      }),
    );
    if (method === 'GET' || url.includes('/predict/')) throw new ExplainedEnough();
    return Promise.resolve(Response.json({ ...PLACEHOLDERS, source: `upload:${PLACEHOLDERS.upload_id}` }));
  };
}

const ANOTHER_AUTHORITY =
  'Its certificate is of an authority that is not trusted here: name that with --ca or MLOPS_CA.';
const UNTRUSTED: Record<string, string> = {
  SELF_SIGNED_CERT_IN_CHAIN: ANOTHER_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ANOTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ANOTHER_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: ANOTHER_AUTHORITY,
  CERT_HAS_EXPIRED: 'Its certificate has expired: whoever runs the service has to put a new one in place.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its certificate is for another host: use the name that stands in it.',
};

function unreachable(url: string, error: unknown): CommandError {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  const code = cause?.code ?? cause?.message ?? (error as Error).name;
  const hints: Record<string, string> = {
    ECONNREFUSED: 'Start the service with `npm start`, or name another address with --url, MLOPS_URL or `mlops login`.',
    ENOTFOUND: 'The name of the host is not known: correct the address with --url, MLOPS_URL or `mlops login`.',
    ...UNTRUSTED,
    TimeoutError: `It took more than ${ANSWER_WITHIN_MS / 1000} s. \`mlops doctor\` looks for the reason.`,
  };
  const said = code === 'TimeoutError' ? 'does not answer' : `cannot be reached (${code})`;
  return new CommandError(
    EXIT.unreachable,
    'unreachable',
    `${url} ${said}.`,
    hints[code] ?? '`mlops doctor` looks for the reason.',
  );
}

const HINTS: Record<number, string> = {
  401: 'Sign in with `mlops login --token-stdin`, or set MLOPS_TOKEN.',
  403: 'Ask for a role that includes this, or sign in as somebody else with `mlops login`.',
  404: 'Look at what there is: `mlops models`, `mlops jobs`, `mlops rollouts`.',
  503: 'The service is there, but something that it needs is away: `mlops doctor` says what.',
};

/** Gives what the service said no with the exit code that it has. */
export function commandErrorOf(problem: ServiceProblem): CommandError {
  const { status, code, message, errors, correlationId, retryAfterSeconds } = problem;
  const isAway = status >= 502 && status <= 504;
  const exitCode: ExitCode = isAway ? EXIT.unreachable : status >= 500 ? EXIT.failed : EXIT.refused;
  const retry = retryAfterSeconds === undefined ? undefined : `Try again in ${retryAfterSeconds} s.`;
  const hint = [retry, HINTS[status]].filter((one) => one !== undefined).join(' ');
  return new CommandError(exitCode, code, message, hint || undefined, errors, correlationId);
}

/**
 * For endpoints that not every release has.
 * @throws CommandError that says so, where the service knows no such path
 */
export async function getIfKnown(
  connection: Connection,
  path: string,
  query: Record<string, string | undefined> = {},
): Promise<unknown> {
  try {
    return await connection.get(path, query);
  } catch (error) {
    if (error instanceof ServiceProblem && error.status === 404 && error.code === 'resource_not_found')
      throw new CommandError(
        EXIT.refused,
        'not_available',
        `This server does not have ${path}.`,
        'Update the service: `mlops status` tells its version.',
      );
    throw error;
  }
}
