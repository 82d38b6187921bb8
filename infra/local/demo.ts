import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { compiledScript } from '../../services/project-root.js';
import { createDatabase } from './embedded-postgres.js';
import type { RunStep, StackAddresses } from './local-stack.js';
import { progressBar } from './progress-lines.js';

const SOURCE_DATABASE = 'demo_source';
/** A request that the README shows too. */
export const EXAMPLE_REQUEST = {
  user_id: 'user_123',
  features: { activity_score: 0.8, project_count: 5, collaboration_score: 0.6, ai_usage_frequency: 0.7 },
};

interface Job {
  job_id: string;
  status: string;
  progress: number;
  stage: string;
  result: Record<string, unknown> | null;
  error: { detail: string } | null;
}

/**
 * The first start: simulates a platform into a database of its own, and then does over HTTP what any user would. Each call
 * has an `Idempotency-Key`, so that a start that was killed half-way goes on where it stopped.
 * @returns the answer of the first prediction, or undefined when the demo was there already.
 */
export async function runDemo(addresses: StackAddresses, stateDir: string, step: RunStep): Promise<unknown> {
  const marker = join(stateDir, 'demo.json');
  if (existsSync(marker)) return undefined;
  const source = new URL(addresses.databaseUrl);
  source.pathname = `/${SOURCE_DATABASE}`;
  await step('Demo: simulating a developer platform', () =>
    simulate(addresses.databaseUrl, source.href, join(stateDir, 'demo')),
  );
  const follow = (title: string, path: string, body: object, key: string) =>
    step(title, async (say) =>
      followJob(addresses.api, await post<{ job_id: string }>(addresses.api, path, body, key), (line) =>
        say(`${title} ${line}`),
      ),
    );
  await follow(
    'Demo: ingesting user_events',
    '/data/ingest',
    { source: source.href, data_type: 'user_events', options: { table: 'user_events' } },
    'demo-ingest-user-events',
  );
  const trained = await follow(
    'Demo: training user_behavior',
    '/models/train',
    { model_type: 'user_behavior' },
    'demo-train-user-behavior',
  );
  await follow(
    'Demo: deploying it',
    '/models/user_behavior/deploy',
    { version: trained['version'] },
    'demo-deploy-user-behavior',
  );
  const answer = await post(addresses.api, '/predict/user-behavior', EXAMPLE_REQUEST);
  writeFileSync(marker, JSON.stringify({ version: trained['version'] }));
  return answer;
}

async function simulate(databaseUrl: string, sourceUrl: string, output: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await createDatabase(client, SOURCE_DATABASE);
  } finally {
    await client.end();
  }
  await new Promise<void>((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [compiledScript('simulator/main.js'), '--database-url', sourceUrl, '--output', output],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let tail = '';
    child.stderr.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-2000)));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`The simulator ended with code ${code}: ${tail.trim()}`)),
    );
  });
}

async function post<T>(api: string, path: string, body: object, key?: string): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(api + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as T & { detail?: string };
    if (response.ok) return answer;
    if (response.status !== 503 || attempt > 10)
      throw new Error(`POST ${path} answered ${response.status}: ${answer.detail ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function followJob(
  api: string,
  { job_id: id }: { job_id: string },
  say: (line: string) => void,
): Promise<Record<string, unknown>> {
  for (let last = ''; ;) {
    const job = (await (await fetch(`${api}/jobs/${id}`)).json()) as Job;
    if (job.status === 'completed') return job.result ?? {};
    if (job.status === 'failed' || job.status === 'cancelled')
      throw new Error(`The job ${id} ${job.status}: ${job.error?.detail ?? ''}`);
    const line = `${progressBar(job.progress)} ${job.stage}`;
    if (process.stdout.isTTY && line !== last) say(line);
    last = line;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
