import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OwnCredentials } from '../../services/auth/own-credentials.js';
import { loadConfig } from '../../services/config.js';
import { openDatabase } from '../../services/database/database.js';
import { SteadyClient } from '../../services/database/steady-client.js';
import { compiledScript } from '../../services/project-root.js';
import { createDatabase } from './embedded-postgres.js';
import type { RunStep, StackAddresses } from './local-stack.js';
import { progressBar } from './progress-lines.js';
import { sayFor, sayTime } from './step-times.mjs';

const SOURCE_DATABASE = 'demo_source';
/** How often an API that does not answer is asked again, a second apart. */
const MOST_TRIES = 30;
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
  /** At its pace so far; null while that is not known. */
  eta_seconds: number | null;
  result: Record<string, unknown> | null;
  error: { detail: string } | null;
}

/** A job that ended badly; its `Idempotency-Key` would give the same bad end again. */
class DemoJobError extends Error {
  override readonly name = 'DemoJobError';
}

interface DemoContext {
  api: string;
  /** How it signs in, where callers need a token. */
  credentials: OwnCredentials;
  step: RunStep;
  signal: AbortSignal;
  /** How many demos have failed before this one. */
  attempt: number;
}

/**
 * The first start: simulates a platform into a database of its own, and then does over HTTP what any user would. Each call
 * has an `Idempotency-Key`, so that a start that was killed half-way goes on where it stopped.
 * @returns the answer of the first prediction, or undefined when the demo was there already.
 */
export async function runDemo(addresses: StackAddresses, step: RunStep, signal: AbortSignal): Promise<unknown> {
  const marker = join(addresses.stateDir, 'demo.json');
  if (existsSync(marker)) return undefined;
  const failures = join(addresses.stateDir, 'demo-failures');
  const attempt = existsSync(failures) ? Number(readFileSync(failures, 'utf8')) : 0;
  const source = new URL(addresses.databaseUrl);
  const { auth } = loadConfig({ ...process.env, DATABASE_URL: addresses.databaseUrl });
  const database = openDatabase(addresses.databaseUrl, () => undefined);
  const credentials = new OwnCredentials(database, auth !== undefined);
  source.pathname = `/${SOURCE_DATABASE}`;
  try {
    const simulating = 'Demo: simulating a developer platform';
    await step(simulating, (say) => {
      const startMs = Date.now();
      const tell = (share: number) => say(`${simulating} (${sayTime((Date.now() - startMs) / 1000, { share })})`);
      const output = join(addresses.stateDir, 'demo');
      return simulate(addresses.databaseUrl, source.href, output, process.stdout.isTTY ? tell : () => {}, signal);
    });
    const context = { api: addresses.api, credentials, step, signal, attempt };
    const version = await trainAndDeploy(context, source.href);
    await trainOtherKinds(context, source.href);
    const answer = await post(context, '/predict/user-behavior', EXAMPLE_REQUEST);
    writeFileSync(marker, JSON.stringify({ version }));
    return answer;
  } catch (error) {
    if (error instanceof DemoJobError) writeFileSync(failures, String(attempt + 1));
    throw error;
  } finally {
    await database.close();
  }
}

async function trainAndDeploy(context: DemoContext, source: string): Promise<unknown> {
  await runJob(context, 'Demo: ingesting user_events', '/data/ingest', ingestion(source, 'user_events'));
  const { version } = await runJob(context, 'Demo: training user_behavior', '/models/train', {
    model_type: 'user_behavior',
  });
  await runJob(context, 'Demo: deploying it', '/models/user_behavior/deploy', { version });
  return version;
}

const ingestion = (source: string, table: string) => ({ source, data_type: table, options: { table } });

/** The other kinds that come with the service, and the tables that they learn from. */
const OTHER_MODELS = [
  { table: 'projects', models: ['project_success'] },
  { table: 'resource_metrics', models: ['anomaly_detection', 'resource_usage'] },
  { table: 'item_interactions', models: ['recommendation'] },
];

/** Brings every other kind to its first version, all at once. */
async function trainOtherKinds(context: DemoContext, source: string): Promise<void> {
  const names = OTHER_MODELS.flatMap(({ models }) => models);
  const title = `Demo: training ${names.join(', ')}`;
  await context.step(title, async (say) => {
    let done = 0;
    const far = new Map<string, Progress>();
    const tell = () => {
      const share = names.reduce((sum, name) => sum + (far.get(name)?.share ?? 0), 0) / names.length;
      // They run beside each other, so that the last one counts.
      const left = Math.max(...[...far.values()].map(({ left: seconds }) => seconds ?? 0));
      say(`${title} ${describeProgress(`${done} of ${names.length}`, { share, left: left > 0 ? left : null })}`);
    };
    await Promise.all(
      OTHER_MODELS.map(async ({ table, models }) => {
        await startJob(context, '/data/ingest', ingestion(source, table));
        await Promise.all(
          models.map(async (model) => {
            // Whoever looks on for the first time should not wait for twenty models when one is told.
            const body = { model_type: model, auto_deploy: true, search: false };
            await startJob(context, '/models/train', body, (_stage, progress) => {
              far.set(model, progress);
              if (process.stdout.isTTY) tell();
            });
            done += 1;
            far.set(model, { share: 1, left: null });
            tell();
          }),
        );
      }),
    );
  });
}

/** Starts a job and shows its progress until its end. */
function runJob(context: DemoContext, title: string, path: string, body: object): Promise<Record<string, unknown>> {
  return context.step(title, (say) => {
    let last = '';
    return startJob(context, path, body, (stage, progress) => {
      // A terminal shows one moving line, a log one line a stage.
      const line = process.stdout.isTTY ? describeProgress(stage, progress) : stage;
      if (line !== last) say(`${title} ${line}`);
      last = line;
    });
  });
}

/** How far a job is. */
interface Progress {
  /** In [0, 1]. */
  share: number;
  /** Seconds that are left at the pace so far; null while that is not known. */
  left: number | null;
}

type TellProgress = (stage: string, progress: Progress) => void;

const describeProgress = (stage: string, { share, left }: Progress) =>
  `${progressBar(share)} ${stage}${left === null ? '' : `, about ${sayFor(left)} left`}`;

/** Sends a request that starts a job, and follows the job to its end. */
async function startJob(
  context: DemoContext,
  path: string,
  body: object,
  tell: TellProgress = () => undefined,
): Promise<Record<string, unknown>> {
  // Of the body, too: PostgreSQL may have another port than at the start that was interrupted.
  const digest = createHash('sha256').update(JSON.stringify(body)).digest('hex').slice(0, 12);
  const job = await post<{ job_id: string }>(context, path, body, `demo-${context.attempt}-${digest}`);
  return followJob(context, job.job_id, tell);
}

async function simulate(
  databaseUrl: string,
  sourceUrl: string,
  output: string,
  tell: (share: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const client = new SteadyClient({ connectionString: databaseUrl });
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
      { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], signal },
    );
    let tail = '';
    child.stderr?.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-2000)));
    child.on('message', ({ share }: { share: number }) => tell(share));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`The simulator ended with code ${code}: ${tail.trim()}`)),
    );
  });
}

async function post<T>(
  { api, credentials, signal }: DemoContext,
  path: string,
  body: object,
  key?: string,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const response = await tryFetch(api + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key ? { 'idempotency-key': key } : {}),
        ...(await credentials.headers('operator')),
      },
      body: JSON.stringify(body),
      signal,
    });
    const answer = (await response?.json()) as (T & { detail?: string }) | undefined;
    if (response?.ok && answer) return answer;
    if ((response && response.status !== 503) || attempt > MOST_TRIES)
      throw new Error(`POST ${path} answered ${response?.status ?? 'nothing'}: ${answer?.detail ?? ''}`);
    await sleep(1000);
  }
}

async function followJob(
  { api, credentials, signal }: DemoContext,
  id: string,
  tell: TellProgress,
): Promise<Record<string, unknown>> {
  for (let unanswered = 0; unanswered < MOST_TRIES; await sleep(250)) {
    const response = await tryFetch(`${api}/jobs/${id}`, { headers: await credentials.headers('viewer'), signal });
    if (!response?.ok) {
      // The API may be starting again.
      unanswered++;
      await sleep(1000);
      continue;
    }
    unanswered = 0;
    const job = (await response.json()) as Job;
    if (job.status === 'completed') return job.result ?? {};
    if (job.status === 'failed' || job.status === 'cancelled')
      throw new DemoJobError(`The job ${id} ${job.status}: ${job.error?.detail ?? ''}`);
    tell(job.stage, { share: job.progress, left: job.eta_seconds });
  }
  throw new Error(`The API no longer answers about the job ${id}.`);
}

/** The answer, or undefined while nobody listens; a stop is thrown on. */
async function tryFetch(url: string, options: RequestInit & { signal: AbortSignal }): Promise<Response | undefined> {
  try {
    return await fetch(url, options);
  } catch {
    options.signal.throwIfAborted();
    return undefined;
  }
}
