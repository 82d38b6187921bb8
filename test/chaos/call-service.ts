import { setTimeout as sleep } from 'node:timers/promises';

/** An answer, or status 0 when there was none. */
export interface Answer {
  status: number;
  text: string;
}

const PATIENCE_MS = 10_000;

/** Sends once. A caller that waits in vain gives up after a while. Bodies that are text are sent as lines of JSON. */
export async function callService(
  url: string,
  method: string,
  path: string,
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  try {
    const response = await fetch(url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { status: 0, text: (error as Error).message };
  }
}

/** Sends with a key until it is accepted, as a careful caller does. @throws Error for a refusal, or after two minutes */
export async function postUntilAccepted(url: string, path: string, body: object, key: string): Promise<string> {
  for (const deadline = Date.now() + 120_000; ;) {
    const { status, text } = await callService(url, 'POST', path, body, { 'idempotency-key': key });
    if (status === 202) return (JSON.parse(text) as { job_id: string }).job_id;
    if ((status >= 400 && status < 500 && status !== 429) || Date.now() > deadline)
      throw new Error(`POST ${path} with the key ${key} was answered ${status}: ${text}`);
    await sleep(200);
  }
}

export interface Job {
  job_id: string;
  status: string;
  progress: number;
  result: Record<string, unknown> | null;
  error: { code: string; detail: string } | null;
}

export const hasEnded = ({ status }: Job) => ['completed', 'failed', 'cancelled'].includes(status);

export async function readJob(url: string, id: string): Promise<Job | undefined> {
  const { status, text } = await callService(url, 'GET', `/jobs/${id}`);
  return status === 200 ? (JSON.parse(text) as Job) : undefined;
}

/** A job that must complete. @returns its result */
export async function runJob(url: string, path: string, body: object, key: string): Promise<Record<string, unknown>> {
  const id = await postUntilAccepted(url, path, body, key);
  for (;;) {
    const job = await readJob(url, id);
    if (job?.status === 'completed') return job.result ?? {};
    if (job && hasEnded(job)) throw new Error(`${path}: the job ${id} ${job.status}: ${job.error?.detail}`);
    await sleep(150);
  }
}
