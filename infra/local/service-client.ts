import { setTimeout as sleep } from 'node:timers/promises';
/** An answer of the service that is not what the demo needs. */
export class ServiceCallError extends Error {
  override readonly name = 'ServiceCallError';
}

interface Job {
  status: string;
  result: Record<string, unknown> | null;
  error: { detail: string } | null;
}

const LOOK_EVERY_MS = 500;

/** The calls that any client of the service makes. */
export class ServiceClient {
  readonly #headers: Record<string, string>;

  constructor(
    readonly url: string,
    token: string | undefined,
  ) {
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @throws ServiceCallError with what the service said, for any status from 400 on */
  async call<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: { ...this.#headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new ServiceCallError(`${method} ${path} was answered ${response.status}: ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  get = <T = Record<string, unknown>>(path: string) => this.call<T>('GET', path);

  /** Starts a job and waits for its end. @returns its result @throws ServiceCallError for one that did not complete */
  async run(path: string, body: unknown): Promise<Record<string, unknown>> {
    const { job_id: id } = await this.call<{ job_id: string }>('POST', path, body);
    for (;;) {
      const job = await this.get<Job>(`/jobs/${id}`);
      if (job.status === 'completed') return job.result ?? {};
      if (job.status !== 'queued' && job.status !== 'running')
        throw new ServiceCallError(`The job ${id} of POST ${path} ended as ${job.status}: ${job.error?.detail ?? ''}`);
      await sleep(LOOK_EVERY_MS);
    }
  }
}

/** Looks again and again until there is something. @throws ServiceCallError after the deadline, which says what was waited for */
export async function waitFor<T>(what: string, look: () => Promise<T | undefined>, deadlineMs: number): Promise<T> {
  while (Date.now() < deadlineMs) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(LOOK_EVERY_MS);
  }
  throw new ServiceCallError(`Waited in vain for ${what}. --minutes gives it more time.`);
}
