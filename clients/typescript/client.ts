import type { components, paths } from './schema.js';

export type { components, paths } from './schema.js';
export type Prediction = components['schemas']['Prediction'];

type Method = 'get' | 'post' | 'put' | 'delete';
/** Paths that have an operation with the method. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in M]: { responses: unknown } } ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = paths[P] extends { [K in M]: infer O } ? O : never;
type Json<T> = T extends { content: { 'application/json': infer J } } ? J : never;
/** The JSON of the answers that say yes. */
export type Answer<O> = O extends { responses: infer R } ? Json<R[Extract<keyof R, 200 | 201 | 202>]> : never;
/** The JSON that an operation takes; never where it takes none. */
export type Body<O> = O extends { requestBody?: infer R } ? Json<NonNullable<R>> : never;
type Parameters<O, Where extends string> = O extends { parameters: { [K in Where]: infer V } } ? V : never;
type Given<Name extends string, V> = [V] extends [never] ? unknown : { [K in Name]: V };
/** Where the service does without a body, so may the caller. */
type GivenBody<O> = O extends { requestBody: unknown }
  ? Given<'body', Body<O>>
  : [Body<O>] extends [never]
    ? unknown
    : { body?: Body<O> };

/** What a call takes: the parts that its operation has. */
export type Call<O> = Given<'path', Parameters<O, 'path'>> &
  GivenBody<O> & {
    query?: Record<string, string | number | boolean | undefined>;
    /** Makes a repeated call the same call. */
    idempotencyKey?: string;
    /** How long the caller waits, in milliseconds: the call is ended then here, and told to the service. */
    timeoutMs?: number;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  };

/** What the service said no with: problem+json, RFC 9457. */
export class ServiceProblem extends Error {
  override readonly name = 'ServiceProblem';
  constructor(
    readonly status: number,
    /** Such as `request_invalid`; stable, for code to look at. */
    readonly code: string,
    message: string,
    readonly errors: readonly { path: string; message: string }[],
    readonly correlationId: string | undefined,
    /** Seconds after which to try again, where the service says so. */
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(message);
  }
}

/**
 * Calls the service; the types of paths, bodies and answers are those of its OpenAPI document.
 *
 *     const client = createClient('http://127.0.0.1:8080');
 *     const answer = await client.post('/predict/{model}', { path: { model: 'churn' }, body: { features: { usage: 3 } } });
 *
 * @throws ServiceProblem for every answer that is not 2xx; what `fetch` throws when there is none
 */
export function createClient(
  baseUrl: string,
  options: { fetch?: typeof fetch; headers?: Record<string, string> } = {},
) {
  const root = baseUrl.replace(/\/+$/, '');
  const send = options.fetch ?? fetch;

  async function call(method: Method, path: string, given: Partial<Call<unknown>> & { path?: object; body?: unknown }) {
    const { body, query = {}, idempotencyKey, timeoutMs, headers, signal } = given;
    const url = new URL(root + fillPath(path, given.path ?? {}));
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const signals = [signal, timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)].filter(
      (one) => one !== undefined,
    );
    const response = await send(url, {
      method: method.toUpperCase(),
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...(timeoutMs === undefined ? {} : { 'x-timeout-ms': String(Math.max(1, Math.ceil(timeoutMs))) }),
        ...options.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw problemOf(response, text);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }

  const caller =
    <M extends Method>(method: M) =>
    <P extends PathsWith<M>>(path: P, given?: Call<Operation<P, M>>): Promise<Answer<Operation<P, M>>> =>
      call(method, path as string, given ?? {}) as Promise<Answer<Operation<P, M>>>;
  return { get: caller('get'), post: caller('post'), put: caller('put'), delete: caller('delete') };
}

/** @throws Error that names the parameter that was not given */
function fillPath(path: string, parameters: object): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = (parameters as Record<string, unknown>)[name];
    if (value === undefined) throw new Error(`${path}: give path.${name}.`);
    return encodeURIComponent(String(value));
  });
}

function problemOf(response: Response, text: string): ServiceProblem {
  let problem: {
    type?: string;
    detail?: string;
    errors?: { path: string; message: string }[];
    correlation_id?: string;
  };
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // A proxy on the way may answer in its own words.
    problem = { detail: text.slice(0, 500) || response.statusText };
  }
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
  return new ServiceProblem(
    response.status,
    problem.type?.replace('urn:problem:', '') ?? 'unknown',
    problem.detail ?? response.statusText,
    problem.errors ?? [],
    problem.correlation_id ?? response.headers.get('x-correlation-id') ?? undefined,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
  );
}
