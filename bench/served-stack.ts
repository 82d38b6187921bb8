import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { TestStack } from '../infra/local/test-stack.js';
import { compiledScript } from '../services/project-root.js';

/** The whole service with a trained and deployed `user_behavior`: three heads of 100 trees. Its cache is off. */
export async function startServedStack(): Promise<TestStack> {
  const stack = await TestStack.start({ PREDICTION_CACHE_TTL: '0' });
  execFileSync(
    process.execPath,
    [compiledScript('simulator/main.js'), '--users', '2000', '--output', join(stack.stateDir, 'demo')],
    { stdio: 'ignore' },
  );
  await runJob(stack.api, '/data/ingest', { source: 'user_events.parquet', data_type: 'user_events' });
  await runJob(stack.api, '/models/train', { model_type: 'user_behavior', auto_deploy: true });
  return stack;
}

async function runJob(api: string, path: string, body: object): Promise<void> {
  const started = await fetch(api + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const { job_id: id } = (await started.json()) as { job_id: string };
  for (;;) {
    const { status } = (await (await fetch(`${api}/jobs/${id}/status`)).json()) as { status: string };
    if (status === 'completed') return;
    if (status !== 'running' && status !== 'queued') throw new Error(`${path}: the job ${id} ${status}.`);
    await new Promise((resolve_) => setTimeout(resolve_, 200));
  }
}
