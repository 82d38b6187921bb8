import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endOnSignal } from '../../infra/local/end-on-signal.js';
import { PARTS, type Part } from '../../infra/local/local-stack.js';
import { TestStack } from '../../infra/local/test-stack.js';
import { createPrng } from '../../ml/random/prng.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { queryDatabase } from '../support/query-database.js';
import { SmallDisks } from './bounds.js';
import { callService, runJob } from './call-service.js';
import { processTree } from './process-tree.js';
import { UnrulyProxy } from './unruly-proxy.js';

export const CHAOS_PARTS = [...PARTS, 'redis'] as const;
export type ChaosPart = (typeof CHAOS_PARTS)[number];

const MODELS = `customers:
  kind: classification
  source: customers
  entity: customer
  target: outcome
  features: [usage, plan]
`;
const ROWS = 1000;
const TREES = 60;
const CLIENTS: readonly Part[] = ['pipeline-worker', 'training-worker', 'api'];
const SERVERS = ['postgres', 'temporal', 'redis'] as const;

/** The folder below the state folder that a part writes to, and how big its disk is. */
export const DISKS: Partial<Record<ChaosPart, [folder: string, megabytes: number]>> = {
  postgres: ['postgres', 400],
  temporal: ['temporal', 160],
  'pipeline-worker': ['data', 160],
  'training-worker': ['models', 160],
  api: ['spool', 48],
};

/** Customers whose answer follows from their usage and plan, but for some. */
function customersTable(): string {
  const prng = createPrng(7);
  const rows = Array.from({ length: ROWS }, (_, index) => {
    const usage = Math.round(prng.next() * 1000) / 10;
    const plan = ['basic', 'plus', 'pro'][Math.floor(prng.next() * 3)]!;
    const leaves = usage < 45 !== (plan === 'pro');
    return `c${index},${usage},${plan},${leaves !== prng.next() < 0.08 ? 'stay' : 'leave'}`;
  });
  return ['customer,usage,plan,outcome', ...rows].join('\n') + '\n';
}

/**
 * A real stack with a Redis, a deployed model and a second version of it, whose every connection goes through a proxy of its own and
 * whose parts have disks of their own where those can be mounted.
 */
export class ChaosStack {
  readonly disks = new SmallDisks();
  readonly #links = new Map<string, UnrulyProxy>();
  /** More variables for the next start of a part. */
  readonly #more = new Map<ChaosPart, Record<string, string>>();
  readonly #inbox = mkdtempSync(join(tmpdir(), 'mlops-chaos-inbox-'));
  #stack: TestStack | undefined;
  #redis: RedisServer | undefined;
  #dataset = '';
  #forget: (() => void) | undefined;

  static async start(): Promise<ChaosStack> {
    const world = new ChaosStack();
    // Before its stack: mounted disks must not stay.
    world.#forget = endOnSignal(() => world.stop());
    try {
      await world.#start();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async #start(): Promise<void> {
    writeFileSync(join(this.#inbox, 'config.yaml'), MODELS);
    writeFileSync(join(this.#inbox, 'data-types.yaml'), '{}\n');
    writeFileSync(join(this.#inbox, 'customers.csv'), customersTable());
    for (const client of CLIENTS)
      for (const server of SERVERS) this.#links.set(`${client}>${server}`, await UnrulyProxy.start());
    this.#links.set('client>api', await UnrulyProxy.start());
    if (hasRedis()) this.#redis = await RedisServer.start();
    const env = {
      DATA_SOURCE_ROOTS: this.#inbox,
      MODELS_CONFIG: join(this.#inbox, 'config.yaml'),
      AUTO_ML_ENABLED: 'false',
      API_WORKERS: '1',
    };
    this.#stack = await TestStack.start(env, {
      envOf: (part, given) => this.#envOf(part, given),
      prepare: (stateDir) => {
        for (const [folder, megabytes] of Object.values(DISKS)) this.disks.mount(join(stateDir, folder), megabytes);
      },
    });
    this.#links.get('client>api')!.targetPort = Number(new URL(this.#stack.api).port);
    await this.#prepareModels();
  }

  #envOf(part: Part, given: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const more = this.#more.get(part);
    if (part === 'postgres') return { ...given, ...more };
    const through = (server: string, port: number) => {
      const link = this.#links.get(`${part}>${server}`)!;
      link.targetPort = port;
      return String(link.port);
    };
    const database = new URL(given['DATABASE_URL']!);
    database.port = through('postgres', Number(database.port));
    const temporal = through('temporal', Number(given['TEMPORAL_ADDRESS']!.split(':')[1]));
    const env = { ...given, DATABASE_URL: database.href, TEMPORAL_ADDRESS: `127.0.0.1:${temporal}` };
    if (!this.#redis) return { ...env, ...more };
    const redis = new URL(this.#redis.url());
    redis.port = through('redis', this.#redis.port);
    return { ...env, REDIS_URL: redis.href, ...more };
  }

  async #prepareModels(): Promise<void> {
    const ingestion = { source: 'customers.csv', data_type: 'customers' };
    this.#dataset = String((await runJob(this.url, '/data/ingest', ingestion, 'first-ingest'))['dataset_id']);
    for (const seed of [1, 2]) await runJob(this.url, '/models/train', this.training(seed), `first-train-${seed}`);
    await runJob(this.url, '/models/customers/deploy', { version: 'v1.0.0' }, 'first-deploy');
    const body = { entity_id: 'c1', features: { usage: 50, plan: 'pro' } };
    const answer = await callService(this.url, 'POST', '/predict/customers', body);
    if (answer.status !== 200) throw new Error(`The first prediction was answered ${answer.status}: ${answer.text}`);
  }

  /** A training that has the same model to the bit whenever it is asked for. */
  training(seed: number): object {
    const hyperparameters = { n_estimators: TREES, seed };
    return { model_type: 'customers', training_data: { source: this.#dataset }, hyperparameters };
  }

  get stack(): TestStack {
    if (!this.#stack) throw new Error('The stack is not started.');
    return this.#stack;
  }

  /** Where its clients find the API, through a proxy. */
  get url(): string {
    return `http://127.0.0.1:${this.#links.get('client>api')!.port}`;
  }

  get hasRedis(): boolean {
    return this.#redis !== undefined;
  }

  /** Straight to the database, past every proxy. */
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]> {
    return queryDatabase<Row>(this.stack.addresses.databaseUrl, sql, values);
  }

  /** All processes of a part. */
  pids(part: ChaosPart): number[] {
    const pid = part === 'redis' ? this.#redis?.pid : this.stack.pid(part);
    return pid === undefined ? [] : processTree(pid);
  }

  /** SIGKILL. The supervisor starts it again, as for users; a Redis has none, so it is started again here. */
  async kill(part: ChaosPart, downMs: number, more: Record<string, string> = {}): Promise<void> {
    this.#more.set(part, more);
    if (part !== 'redis') return this.stack.kill9(part);
    await this.#redis!.kill9();
    await sleep(downMs);
    await this.startRedis();
  }

  /** Starts Redis again if it has ended, or is about to. */
  async startRedis(): Promise<void> {
    // What was killed a moment ago is not told of yet.
    await sleep(500);
    if (this.#redis && !this.#redis.isRunning)
      await this.#redis.startAgain({ ...process.env, ...this.#more.get('redis') });
  }

  /** No write that takes memory succeeds until it is started again. */
  async limitRedis(): Promise<void> {
    await this.#redis!.command(['CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction']);
  }

  /** Commands that Redis has refused for want of memory since its start; 0 where it does not run. */
  async refusedByRedis(): Promise<number> {
    const text = this.#redis?.isRunning ? await this.#redis.command(['INFO', 'errorstats']).catch(() => '') : '';
    return Number(/^errorstat_OOM:count=(\d+)/m.exec(text)?.[1] ?? 0);
  }

  /** The proxies that a part's connections go through: of a server those of its clients, of a worker its own. */
  links(part: ChaosPart): UnrulyProxy[] {
    const isOf = (name: string) =>
      name.endsWith(`>${part}`) || (part.endsWith('worker') && name.startsWith(`${part}>`));
    return [...this.#links].filter(([name]) => isOf(name)).map(([, link]) => link);
  }

  /** What must be in no log and no history. */
  secrets(): string[] {
    return [decodeURIComponent(new URL(this.stack.addresses.databaseUrl).password), RedisServer.PASSWORD];
  }

  async stop(): Promise<void> {
    await this.#stack?.stopKeepingState();
    this.disks.unmountAll();
    await this.#stack?.stop();
    await this.#redis?.kill9();
    for (const link of this.#links.values()) await link.stop();
    rmSync(this.#inbox, { recursive: true, force: true });
    this.#forget?.();
  }
}
