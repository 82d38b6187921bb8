import { expect } from 'vitest';

export interface JobAnswer {
  job_id: string;
  status: string;
  stage: string;
  progress: number;
  result: Record<string, unknown> | null;
  error: { code: string; detail: string } | null;
}

/** A caller of the public API, as any user would write one. */
export function createApiClient(api: () => string) {
  async function call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) {
    const response = await fetch(api() + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: (text ? JSON.parse(text) : undefined) as T };
  }

  /** Sends until it is answered, as a careful caller does while a server restarts; the key makes it safe. */
  async function postUntilAccepted(path: string, body: unknown, key: string): Promise<string> {
    for (;;) {
      const answer = await call<{ job_id: string; detail?: string }>('POST', path, body, {
        'idempotency-key': key,
      }).catch(() => undefined);
      if (answer?.status === 202) return answer.body.job_id;
      if (answer && answer.status < 500)
        throw new Error(`POST ${path} answered ${answer.status}: ${answer.body.detail}`);
      await pause(200);
    }
  }

  /** Follows a job to its end, through restarts of whatever restarts. */
  async function waitForJob(id: string, timeoutMs = 240_000): Promise<JobAnswer> {
    let last = 0;
    for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await pause(150)) {
      const answer = await call<JobAnswer>('GET', `/jobs/${id}`).catch(() => undefined);
      if (answer?.status !== 200) continue;
      expect(answer.body.progress, `progress of ${id} must not go back`).toBeGreaterThanOrEqual(last);
      last = answer.body.progress;
      if (['completed', 'failed', 'cancelled'].includes(answer.body.status)) return answer.body;
    }
    throw new Error(`The job ${id} did not end within ${timeoutMs / 1000} s.`);
  }

  /** A job that must succeed. */
  async function run(path: string, body: unknown, key: string): Promise<Record<string, unknown>> {
    const job = await waitForJob(await postUntilAccepted(path, body, key));
    expect(job, `${path} must complete: ${JSON.stringify(job.error)}`).toMatchObject({ status: 'completed' });
    return job.result ?? {};
  }

  async function waitForStage(id: string, stage: string): Promise<void> {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await pause(50)) {
      const answer = await call<JobAnswer>('GET', `/jobs/${id}`).catch(() => undefined);
      if (answer?.body.stage === stage || answer?.body.status === 'completed') return;
    }
    throw new Error(`The job ${id} did not come to ${stage}.`);
  }

  return { call, postUntilAccepted, waitForJob, waitForStage, run };
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
