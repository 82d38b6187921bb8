import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { TestStack } from '../infra/local/test-stack.js';
import { compiledScript } from '../services/project-root.js';

/** The whole service with a trained and deployed `user_behavior`: three heads of 100 trees. Its cache is off. */
export async function startServedStack(env: Record<string, string> = {}): Promise<TestStack> {
  const stack = await TestStack.start({ PREDICTION_CACHE_TTL: '0', MAX_REQUEST_WAIT: '500', ...env });
  execFileSync(
    process.execPath,
    [compiledScript('simulator/main.js'), '--users', '2000', '--output', join(stack.stateDir, 'demo')],
    { stdio: 'ignore' },
  );
  await runJob(stack.api, '/data/ingest', { source: 'user_events.parquet', data_type: 'user_events' });
  await runJob(stack.api, '/models/train', { model_type: 'user_behavior', auto_deploy: true });
  return stack;
}

/** Starts a job. @returns its id */
export async function postJob(api: string, path: string, body: object): Promise<string> {
  const started = await fetch(api + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return ((await started.json()) as { job_id: string }).job_id;
}

/** Starts a job and waits for its end. @throws Error when it does not complete */
export async function runJob(api: string, path: string, body: object): Promise<void> {
  const id = await postJob(api, path, body);
  for (;;) {
    const { status } = (await (await fetch(`${api}/jobs/${id}/status`)).json()) as { status: string };
    if (status === 'completed') return;
    if (status !== 'running' && status !== 'queued') throw new Error(`${path}: the job ${id} ${status}.`);
    await new Promise((resolve_) => setTimeout(resolve_, 200));
  }
}
