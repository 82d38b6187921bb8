import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiClient, pause } from '../support/api-client.js';
import { Machine, type MachinePart } from '../support/machine.js';
import { queryDatabase } from '../support/query-database.js';
import { startRoundRobin } from '../support/round-robin-proxy.js';
import { startSharedServers } from '../support/shared-servers.js';
import { simulateFiles } from '../support/simulate-files.js';

const TRAINING = { model_type: 'user_behavior', hyperparameters: { n_estimators: 10 } };
const PREDICTION = { user_id: 'u', features: { activity_score: 0.5 } };
/** Longer than the proxy takes to see that a process is not ready any more. */
const SHUTDOWN_DELAY = '2';

let servers: Awaited<ReturnType<typeof startSharedServers>>;
let proxy: Awaited<ReturnType<typeof startRoundRobin>>;
const machines: Machine[] = [];
const folder = mkdtempSync(join(tmpdir(), 'mlops-rolling-'));
let events: Buffer;
const api = createApiClient(() => proxy.url);

const startMachine = async () => void machines.push(await Machine.start({ ...servers.env, SHUTDOWN_DELAY }));

/** What a caller sends, so that the file is on the machine of one API process only. */
async function upload(rows: Buffer): Promise<string> {
  const response = await fetch(`${proxy.url}/data/uploads?format=parquet`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(rows),
  });
  const body = (await response.json()) as { source: string };
  if (!response.ok) throw new Error(`POST /data/uploads answered ${response.status}: ${JSON.stringify(body)}`);
  return body.source;
}

/** Calls of all kinds until it is told to stop; nothing is tried twice. */
function putLoadOn() {
  const failures: string[] = [];
  const answered: string[] = [];
  const ingestions: string[] = [];
  const trainings: string[] = [];
  const stopping = new AbortController();
  const repeat = async (everyMs: number, work: () => Promise<void>) => {
    while (!stopping.signal.aborted) {
      await work().catch((error: unknown) => failures.push(String(error)));
      await pause(everyMs);
    }
  };
  const expectStatus = (what: string, wanted: number, { status, body }: { status: number; body: unknown }) => {
    if (status !== wanted) throw new Error(`${what} answered ${status}: ${JSON.stringify(body)}`);
  };
  const predictAndTell = async () => {
    const answer = await api.call('POST', '/predict/user-behavior', PREDICTION);
    expectStatus('a prediction', 200, answer);
    const id = String(answer.body['prediction_id']);
    answered.push(id);
    const feedback = { outcome: { churn_probability: false } };
    expectStatus('feedback', 200, await api.call('POST', `/predictions/${id}/feedback`, feedback));
  };
  const startJob = async (path: string, body: object, ids: string[]) => {
    const key = `${path}-${ids.length}`;
    const answer = await api.call('POST', path, body, { 'idempotency-key': key });
    expectStatus(path, 202, answer);
    ids.push(String(answer.body['job_id']));
  };
  const running = [
    repeat(40, predictAndTell),
    repeat(40, predictAndTell),
    repeat(400, async () => void (await upload(events))),
  ];
  return {
    failures,
    answered,
    ingestions,
    trainings,
    /** An ingestion and a training, which are then under way. */
    async startJobs() {
      const source = await upload(events);
      await startJob('/data/ingest', { source, data_type: 'user_events' }, ingestions);
      await startJob('/models/train', TRAINING, trainings);
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** SIGTERM, and the same again in its place, as a rolling update does. */
async function restart(machine: Machine, part: MachinePart): Promise<void> {
  await machine.stopPart(part);
  await machine.startPart(part);
  if (part !== 'api') return;
  while (!proxy.isReady(machine.api)) await pause(50);
}

interface Attempt {
  activity: string;
  attempt: number;
  identity: string;
  failure: string | undefined;
}

/** Each step of a job, with the worker that did it last. */
async function attemptsOf(client: Client, workflowId: string): Promise<Attempt[]> {
  const { events: history } = await client.workflow.getHandle(workflowId).fetchHistory();
  const names = new Map<string, string>();
  const attempts: Attempt[] = [];
  for (const event of history ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) names.set(String(event.eventId), scheduled.activityType!.name!);
    const started = event.activityTaskStartedEventAttributes;
    if (started)
      attempts.push({
        activity: names.get(String(started.scheduledEventId))!,
        attempt: started.attempt!,
        identity: started.identity!,
        failure: started.lastFailure?.message ?? undefined,
      });
  }
  return attempts;
}

beforeAll(async () => {
  events = readFileSync(simulateFiles(folder, 200).events);
  servers = await startSharedServers();
  await startMachine();
  proxy = await startRoundRobin(() => machines.map((machine) => machine.api));
  await api.run('/data/ingest', { source: await upload(events), data_type: 'user_events' }, 'first-ingest');
  await api.run('/models/train', TRAINING, 'first-train');
  const deploy = { version: 'v1.0.0', allow_unpromotable: true, strategy: 'immediate' };
  await api.run('/models/user_behavior/deploy', deploy, 'first-deploy');
});
afterAll(async () => {
  await proxy?.stop();
  await Promise.all(machines.map((machine) => machine.stop()));
  await servers?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('an installation of two machines with nothing in common but its servers', () => {
  it('serves on a new machine what was trained on another one, and shows the rows that were ingested there', async () => {
    await startMachine();
    const second = createApiClient(() => machines[1]!.api);
    expect(existsSync(join(machines[1]!.stateDir, 'data', 'datasets'))).toBe(false);
    expect(await second.call('POST', '/predict/user-behavior', PREDICTION)).toMatchObject({
      status: 200,
      body: { model_version: 'v1.0.0' },
    });
    const { body: listed } = await second.call<{ items: { dataset_id: string }[] }>('GET', '/data/datasets');
    const rows = await second.call<{ items: object[] }>('GET', `/data/datasets/${listed.items[0]!.dataset_id}/rows`);
    expect(rows.body.items.length).toBeGreaterThan(0);
    expect(readdirSync(join(machines[1]!.stateDir, 'models', 'user_behavior'))).toHaveLength(1);
    while (!proxy.isReady(machines[1]!.api)) await pause(50);
  });

  it('restarts every process, one after the other, without a failed request, a lost or doubled job or an attempt for nothing', async () => {
    const load = putLoadOn();
    await pause(1000);
    for (const part of ['api', 'pipeline-worker', 'training-worker'] as const)
      for (const machine of machines) {
        await load.startJobs();
        await restart(machine, part);
      }
    await load.stop();
    expect(load.failures).toEqual([]);

    const jobs = [...load.ingestions, ...load.trainings];
    for (const id of jobs) expect(await api.waitForJob(id)).toMatchObject({ status: 'completed', error: null });
    const count = async (sql: string, ids: readonly string[]) =>
      (await queryDatabase<{ rows: number }>(servers.databaseUrl, sql, [ids]))[0]!.rows;
    const once = (table: string, column: string) =>
      `SELECT count(*)::int AS rows FROM ${table} WHERE ${column} = ANY($1::text[])`;
    expect(await count(once('datasets', 'job_id'), load.ingestions)).toBe(load.ingestions.length);
    expect(await count(once('model_versions', 'job_id'), load.trainings)).toBe(load.trainings.length);
    const logged = async () => await count(once('predictions', 'id'), load.answered);
    const told = async () => await count(once('prediction_outcomes', 'prediction_id'), load.answered);
    await expect.poll(logged, { timeout: 20_000 }).toBe(load.answered.length);
    await expect.poll(told, { timeout: 20_000 }).toBe(load.answered.length);

    const connection = await Connection.connect({ address: servers.temporalAddress });
    try {
      const client = new Client({ connection });
      const attempts = (await Promise.all(jobs.map((id) => attemptsOf(client, id)))).flat();
      // A step that was under way when its worker was told to end went on there, as it takes less than its grace.
      expect(attempts.filter(({ attempt }) => attempt > 1)).toEqual([]);
      const fitted = new Set(attempts.flatMap((one) => (one.activity === 'fitModel' ? [one.identity] : [])));
      expect(fitted.size, 'both machines must have trained').toBeGreaterThan(1);
    } finally {
      await connection.close();
    }
  });

  it('lets all machines know a change of traffic, and keeps what is staged no longer than its job', async () => {
    const { version } = await api.run('/models/train', TRAINING, 'last-train');
    const deploy = { version, allow_unpromotable: true, strategy: 'immediate' };
    await api.run('/models/user_behavior/deploy', deploy, 'last-deploy');
    for (const machine of machines) {
      const answer = () =>
        createApiClient(() => machine.api)
          .call('POST', '/predict/user-behavior', PREDICTION)
          .then(({ body }) => body['model_version']);
      await expect.poll(answer, { timeout: 10_000 }).toBe(version);
    }
    const staged = async () => (await servers.keys()).filter((key) => key.includes('/.staging/'));
    await expect.poll(staged, { timeout: 10_000 }).toEqual([]);
  });
});
