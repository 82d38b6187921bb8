import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect } from 'vitest';
import type { Part } from '../../../../infra/local/local-stack.js';
import { TestStack } from '../../../../infra/local/test-stack.js';
import { queryDatabase } from '../../../support/query-database.js';
import { schemaProblems, type JsonSchema } from './json-schema.js';

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  text: string;
  body: T;
}
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  correlation_id: string;
  errors?: { path: string; message: string }[];
}
export interface JobBody {
  job_id: string;
  type: string;
  status: string;
  stage: string;
  progress: number;
  request: Record<string, unknown>;
  result: Record<string, unknown> | null;
  error: { code: string; detail: string; problems?: { path: string; message: string }[] } | null;
  correlation_id: string;
}

const ENDED = ['completed', 'failed', 'cancelled'];

/** Looks again and again until `look` finds something; there is no other way to wait in these tests. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined>, timeoutMs = 60_000): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  throw new Error(`${what}: not seen within ${timeoutMs / 1000} s.`);
}

/** The whole service on throw-away state, with an inbox for source files and a models file of its own. */
export class Service {
  readonly inbox: string;
  stack!: TestStack;
  /** Sent with every call that says nothing else, where callers need a token. */
  signIn: Record<string, string> = {};
  #temporal: Connection | undefined;
  #document: JsonSchema | undefined;
  #keys = 0;

  private constructor(models: string, dataTypes: string) {
    this.inbox = mkdtempSync(join(tmpdir(), 'mlops-inbox-'));
    writeFileSync(join(this.inbox, 'config.yaml'), models);
    writeFileSync(join(this.inbox, 'data-types.yaml'), dataTypes);
  }

  static async start(models: string, env: Record<string, string> = {}, dataTypes = '{}\n'): Promise<Service> {
    const service = new Service(models, dataTypes);
    service.stack = await TestStack.start({
      DATA_SOURCE_ROOTS: service.inbox,
      MODELS_CONFIG: join(service.inbox, 'config.yaml'),
      // Entries without an algorithm then train one forest; tests of the choice among several turn it on.
      AUTO_ML_ENABLED: 'false',
      ...env,
    });
    return service;
  }

  async stop(): Promise<void> {
    await this.#temporal?.close();
    await this.stack?.stop();
    rmSync(this.inbox, { recursive: true, force: true });
  }

  /** A key that no call of this run has had. */
  key(): string {
    return `key-${++this.#keys}`;
  }

  file(name: string, content: string | Uint8Array): string {
    writeFileSync(join(this.inbox, name), content);
    return name;
  }

  /** One call. Every 2xx answer is held to the service's own OpenAPI document, and every error to RFC 9457. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(this.stack.api + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...this.signIn, ...headers },
      body: body === undefined ? undefined : isRaw ? (body as string) : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson && text ? JSON.parse(text) : undefined) as T,
    };
    expect(response.headers.get('x-correlation-id'), 'every answer carries a correlation id').toBeTruthy();
    expect(text, 'no answer shows a stack trace').not.toMatch(/\n\s+at |node_modules/);
    if (response.status >= 400) this.#expectProblem(answer as Answer<ProblemBody>, path);
    else if (isJson && path !== '/openapi.json') await this.#expectConforming(method, path, answer);
    return answer;
  }

  get = <T = Record<string, unknown>>(path: string) => this.call<T>('GET', path);
  post = <T = Record<string, unknown>>(path: string, body?: unknown, headers?: Record<string, string>) =>
    this.call<T>('POST', path, body, headers);

  #expectProblem({ status, headers, body }: Answer<ProblemBody>, path: string): void {
    expect(status, `${path} must never fail for a bad request: ${JSON.stringify(body)}`).not.toBe(500);
    // The Open Inference Protocol has its own shape.
    if (path.startsWith('/v2')) return expect(body).toEqual({ error: expect.any(String) });
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({
      type: expect.stringMatching(/^urn:problem:[a-z_]+$/),
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: path.split('?', 1)[0]!.slice(0, 500),
      correlation_id: headers.get('x-correlation-id'),
    });
    for (const item of body.errors ?? [])
      expect(item).toEqual({ path: expect.any(String), message: expect.any(String) });
  }

  async document(): Promise<JsonSchema> {
    this.#document ??= (await (await fetch(`${this.stack.api}/openapi.json`)).json()) as JsonSchema;
    return this.#document;
  }

  async #expectConforming(method: string, path: string, answer: Answer<unknown>): Promise<void> {
    const document = await this.document();
    const route = path.split('?', 1)[0]!.split('/');
    const match = Object.entries(document['paths'] as Record<string, Record<string, JsonSchema>>)
      .toSorted(([a], [b]) => a.split('{').length - b.split('{').length)
      .find(([pattern, operations]) => {
        const steps = pattern.split('/');
        return (
          operations[method.toLowerCase()] !== undefined &&
          steps.length === route.length &&
          steps.every((step, at) => step.startsWith('{') || step === route[at])
        );
      });
    expect(match, `${method} ${path} must be in the document`).toBeDefined();
    const responses = match![1][method.toLowerCase()]!['responses'] as Record<
      string,
      { content?: Record<string, { schema?: JsonSchema }> }
    >;
    expect(Object.keys(responses), `${method} ${match![0]} answered ${answer.status}`).toContain(String(answer.status));
    const schema = responses[String(answer.status)]!.content?.['application/json']?.schema;
    expect(schema, `${method} ${match![0]} has a schema for its answer`).toBeDefined();
    expect(schemaProblems(schema!, answer.body, document), `${method} ${path}`).toEqual([]);
  }

  /** Starts a job and gives its id. */
  async start(path: string, body?: unknown): Promise<string> {
    const answer = await this.post<{ job_id: string }>(path, body);
    expect(answer.status, `POST ${path}: ${answer.text}`).toBe(202);
    return answer.body.job_id;
  }

  async job(id: string): Promise<JobBody> {
    return (await this.get<JobBody>(`/jobs/${encodeURIComponent(id)}`)).body;
  }

  async ended(id: string, timeoutMs = 90_000): Promise<JobBody> {
    return eventually(
      `the end of ${id}`,
      async () => {
        const job = await this.job(id);
        return ENDED.includes(job.status) ? job : undefined;
      },
      timeoutMs,
    );
  }

  /** A job that must complete; gives its result. */
  async run(path: string, body?: unknown): Promise<Record<string, unknown>> {
    const job = await this.ended(await this.start(path, body));
    expect(job.status, `POST ${path}: ${JSON.stringify(job.error)}`).toBe('completed');
    return job.result!;
  }

  /** A job that must fail; gives its error. */
  async fail(path: string, body?: unknown): Promise<NonNullable<JobBody['error']>> {
    const job = await this.ended(await this.start(path, body));
    expect(job.status, `POST ${path}: ${JSON.stringify(job.result)}`).toBe('failed');
    return job.error!;
  }

  query<Row extends object>(sql: string, values?: unknown[], url?: string): Promise<Row[]> {
    return queryDatabase<Row>(url ?? this.stack.addresses.databaseUrl, sql, values);
  }

  async temporal(): Promise<Client> {
    this.#temporal ??= await Connection.connect({ address: this.stack.addresses.temporal });
    return new Client({ connection: this.#temporal });
  }

  /** The JSON lines of a part's log. */
  log(part: Part): Record<string, unknown>[] {
    return readFileSync(this.stack.logFile(part), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** A table as CSV text. */
export function csv(header: readonly string[], rows: readonly (readonly (string | number | boolean)[])[]): string {
  return [header.join(','), ...rows.map((row) => row.join(','))].join('\n') + '\n';
}
