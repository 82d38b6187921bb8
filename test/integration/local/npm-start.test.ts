import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isRunning, type ProcessIdentity } from '../../../services/process-identity.js';
import { deleteStateFolder } from '../../../infra/local/state-folder.js';
import { projectRoot } from '../../../services/project-root.js';
import { createApiClient, pause } from '../../support/api-client.js';

/** One run of `npm start`, as a person at a terminal sees it. */
interface Run {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | null>;
}

const stateDir = mkdtempSync(join(tmpdir(), 'mlops-start-'));
const started: Run[] = [];

function start(...flags: string[]): Run {
  const child = spawn(
    process.execPath,
    [join(projectRoot(), 'infra/local/start.mjs'), '--state-dir', stateDir, ...flags],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const run = { child, output: () => text, ended };
  started.push(run);
  return run;
}

async function waitFor(run: Run, pattern: RegExp): Promise<RegExpMatchArray> {
  for (;;) {
    const match = pattern.exec(run.output());
    if (match) return match;
    if (run.child.exitCode !== null || run.child.signalCode !== null)
      throw new Error(`npm start ended with ${run.child.exitCode ?? run.child.signalCode}:\n${run.output()}`);
    await pause(100);
  }
}

const addressOf = async (run: Run) => (await waitFor(run, /API\s+(http:\/\/\S+)\n[\s\S]*Stop with/))[1]!;

function children(): ProcessIdentity[] {
  const folder = join(stateDir, 'run');
  const files = readdirSync(folder).filter((name) => name.endsWith('.pid'));
  return files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as ProcessIdentity);
}

afterAll(() => {
  for (const { child } of started) if (child.exitCode === null) child.kill('SIGKILL');
  deleteStateFolder(stateDir);
});

describe('npm start', () => {
  let api = '';
  let answer: Record<string, unknown>;
  const client = createApiClient(() => api);
  // The request of the original’s documentation, as it stands there.
  const request = {
    user_id: 'user_123',
    features: { activity_score: 0.8, project_count: 5, collaboration_score: 0.6, ai_usage_frequency: 0.7 },
    model_version: 'v1.0.0',
  };

  it('goes from nothing to a real prediction', async () => {
    const run = start('--port', '0');
    api = await addressOf(run);
    expect(run.output()).toMatch(/Temporal Web UI\s+http/);
    expect(run.output()).toContain('"churn_probability"');
    const { status, body } = await client.call('POST', '/predict/user-behavior', request);
    expect(status).toBe(200);
    answer = body;
    expect(body).toMatchObject({
      prediction_id: expect.stringMatching(/^pred_/),
      model: 'user_behavior',
      model_version: 'v1.0.0',
      predictions: {
        churn_probability: expect.any(Number),
        engagement_level: expect.stringMatching(/^(low|medium|high)$/),
        next_activity: expect.any(String),
      },
      confidence_scores: {
        churn_probability: expect.any(Number),
        engagement_level: expect.any(Number),
        next_activity: expect.any(Number),
      },
    });
    const ui = /Temporal Web UI\s+(http\S+)/.exec(run.output())![1]!;
    expect((await fetch(ui)).status).toBe(200);
    const { body: health } = await client.call<{ status: string; dependencies: object }>('GET', '/health');
    expect(health).toMatchObject({ status: 'ok' });
    const version = await client.call<{
      metrics: Record<string, { accuracy: { value: number }; majority_rate: { value: number } }>;
    }>('GET', '/models/user_behavior/versions/v1.0.0');
    for (const [head, metrics] of Object.entries(version.body.metrics)) {
      expect(metrics.accuracy.value, head).toBeGreaterThanOrEqual(0.85);
      expect(metrics.accuracy.value, head).toBeGreaterThan(metrics.majority_rate.value);
    }
  });

  it('takes the training request of the original’s documentation as it stands, and says what had no effect', async () => {
    const { status, body } = await client.call<{ job_id: string; warnings: { path: string }[] }>(
      'POST',
      '/models/train',
      {
        model_type: 'user_behavior',
        training_data: {
          source: 'user_events',
          start_date: '2024-01-01',
          end_date: '2024-06-01',
          filters: { active_users_only: true },
        },
        hyperparameters: { learning_rate: 0.01, n_estimators: 100, max_depth: 10 },
        validation_split: 0.2,
        cross_validation: true,
      },
    );
    expect(status).toBe(202);
    expect(body.warnings).toEqual([
      { path: 'hyperparameters.learning_rate', message: 'was not used: a random forest has no learning rate' },
    ]);
    const job = await client.waitForJob(body.job_id);
    expect(job).toMatchObject({
      status: 'completed',
      result: { version: 'v1.1.0', promotable: true, warnings: body.warnings, cross_validation: { folds: 5 } },
    });
  });

  it('refuses a second stack on the same state, and says which process has it', async () => {
    const second = start('--port', '0');
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/Another stack \(process \d+\) runs on/);
    // Commands beside the first one must still find its Temporal.
    expect(existsSync(join(stateDir, 'run', 'temporal-address'))).toBe(true);
  });

  it('recovers from a kill -9 of the supervisor: its children end or are ended, and everything is kept', async () => {
    const before = children();
    expect(before).toHaveLength(5);
    started[0]!.child.kill('SIGKILL');
    const run = start('--port', '0', '--no-demo');
    api = await addressOf(run);
    for (const child of before) expect(isRunning(child)).toBe(false);
    const { body } = await client.call('POST', '/predict/user-behavior', request);
    expect(body['predictions']).toEqual(answer['predictions']);
    expect(existsSync(join(stateDir, 'demo.json'))).toBe(true);
  });

  it('starts a part again that was killed', async () => {
    const run = started.at(-1)!;
    const file = join(stateDir, 'run', 'api.pid');
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
    process.kill(pid, 'SIGKILL');
    await waitFor(run, /api ended \(SIGKILL\) and is started again/);
    const isReady = async () => (await client.call('GET', '/health/ready').catch(() => undefined))?.status;
    await expect.poll(isReady, { timeout: 30_000 }).toBe(200);
  });

  it('stops everything that it started on Ctrl-C, and nothing stays behind', async () => {
    const run = started.at(-1)!;
    const before = children();
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(0);
    for (const child of before) expect(isRunning(child)).toBe(false);
    expect(readdirSync(join(stateDir, 'run'))).toEqual([]);
    expect(existsSync(join(stateDir, 'stack.lock'))).toBe(false);
  });

  it('says what to do when its port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const run = start('--port', String(port), '--no-demo');
    expect(await run.ended).toBe(1);
    expect(run.output()).toContain(
      `Port ${port} is taken by another program. Stop that program, or choose another port`,
    );
    server.close();
  });

  it('stops the start at a bad entry of the models file, with its line and path', async () => {
    const config = join(stateDir, 'config.yaml');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(config, 'user_behavior:\n  algorithm: random_forest\n  hyperparameters:\n    n_estimators: many\n');
    const child = spawn(
      process.execPath,
      [join(projectRoot(), 'infra/local/start.mjs'), '--state-dir', stateDir, '--port', '0', '--no-demo'],
      { env: { ...process.env, MODELS_CONFIG: config } },
    );
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1);
    expect(text).toMatch(/config\.yaml:4: user_behavior\.hyperparameters\.n_estimators: /);
  });

  it('lists its flags, and refuses one that it does not know', async () => {
    const help = start('--help');
    expect(await help.ended).toBe(0);
    for (const flag of ['--fresh', '--no-demo', '--port', '--state-dir']) expect(help.output()).toContain(flag);
    const unknown = start('--frsh');
    expect(await unknown.ended).toBe(2);
    expect(unknown.output()).toContain("Unknown option '--frsh'");
  });
});
