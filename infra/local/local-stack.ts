import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyMigrations } from '../../services/database/apply-migrations.js';
import {
  installPostgres,
  postgresUrl,
  spawnPostgres,
  waitForPostgres,
  type PostgresInstallation,
} from './embedded-postgres.js';
import { choosePort } from './free-port.js';
import { forkService, waitForService } from './service-process.js';
import { claimStateFolder, deleteStateFolder, checkStateFolder } from './state-folder.js';
import { endOrphan, SupervisedProcess, type SupervisedOptions } from './supervised-process.js';
import { lockState } from './state-lock.js';
import { resolveTemporalBinary } from './temporal-binary.js';
import { spawnTemporal, waitForTemporal, type TemporalServerOptions } from './temporal-server.js';

export const PARTS = ['postgres', 'temporal', 'pipeline-worker', 'training-worker', 'api'] as const;
export type Part = (typeof PARTS)[number];

export interface LocalStackOptions {
  stateDir: string;
  port: number;
  temporalPort?: number;
  uiPort?: number;
  logLevel?: string;
  /** Deletes the state first. */
  fresh?: boolean;
  /** Servers of others, in place of embedded ones. */
  external?: { databaseUrl?: string; temporalAddress?: string };
  /** More variables for the workers and the API. */
  env?: Record<string, string>;
  /** The environment of one part, asked for at each of its starts; of all but Temporal, which has none to change. */
  envOf?: (part: Part, env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
  /** Told when a part has died and is started again. */
  onRestart?: (part: string, how: string) => void;
}

export interface StackAddresses {
  api: string;
  temporal: string;
  temporalUi: string | undefined;
  databaseUrl: string;
  stateDir: string;
}

/** Tells commands beside a running stack where its Temporal is. */
export const temporalAddressFile = (stateDir: string) => join(stateDir, 'run', 'temporal-address');

/** Runs one step with whatever shows its progress. */
export type RunStep = <T>(title: string, work: (say: (line: string) => void) => Promise<T>) => Promise<T>;

const HOST = '127.0.0.1';
const TEMPORAL_PORT = 7233;
const UI_PORT = 8233;

/** The stack was told to stop while it was starting. */
export class StackStoppedError extends Error {
  override readonly name = 'StackStoppedError';
}

/** How each part is stopped: PostgreSQL disconnects its clients on SIGINT. */
const STOP: Record<Part, [NodeJS.Signals, number]> = {
  postgres: ['SIGINT', 20_000],
  temporal: ['SIGTERM', 10_000],
  'pipeline-worker': ['SIGTERM', 25_000],
  'training-worker': ['SIGTERM', 25_000],
  api: ['SIGTERM', 15_000],
};
const MOST_LOG_BYTES = 20 * 2 ** 20;

/** The whole service on this machine: PostgreSQL, Temporal, workers and API, each kept alive; one stack a state folder. */
export class LocalStack {
  readonly #parts = new Map<Part, SupervisedProcess>();
  #unlock: (() => void) | undefined;
  #addresses: StackAddresses | undefined;
  #stopping = new AbortController();
  #starting: Promise<unknown> | undefined;

  constructor(readonly options: LocalStackOptions) {}

  get addresses(): StackAddresses {
    if (!this.#addresses) throw new Error('The stack is not started.');
    return this.#addresses;
  }

  part(name: Part): SupervisedProcess {
    const part = this.#parts.get(name);
    if (!part) throw new Error(`The stack does not run ${name} itself.`);
    return part;
  }

  /** Starts everything in order. When a step fails, what runs already is stopped again. */
  async start(step: RunStep): Promise<StackAddresses> {
    this.#stopping = new AbortController();
    const starting = this.#startEverything(step);
    this.#starting = starting.catch(() => undefined);
    try {
      return await starting;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #startEverything(step: RunStep): Promise<StackAddresses> {
    const { stateDir, port, external } = this.options;
    await this.#takeStateFolder(step);
    const apiPort = await choosePort('--port', port, port);
    const databaseUrl = external?.databaseUrl || (await step('PostgreSQL', () => this.#startPostgres()));
    await step('Migrations', () => applyMigrations(databaseUrl));
    const temporal = await this.#startTemporal(step);
    const env = this.#childEnvironment({ databaseUrl, temporal, apiPort });
    await step('Workers and API', () => this.#startOwnParts(env));
    this.#refuseWhenStopping();
    writeFileSync(temporalAddressFile(stateDir), temporal.address);
    this.#addresses = {
      api: `${env['TLS_CERT_FILE'] ? 'https' : 'http'}://${HOST}:${apiPort}`,
      temporal: temporal.address,
      temporalUi: temporal.uiUrl,
      databaseUrl,
      stateDir,
    };
    return this.#addresses;
  }

  /** Makes the folder ours alone: nobody else may run on it, and what a killed run has left is ended before anything else. */
  async #takeStateFolder(step: RunStep): Promise<void> {
    const { stateDir, fresh } = this.options;
    if (fresh) checkStateFolder(stateDir);
    claimStateFolder(stateDir);
    this.#unlock = lockState(stateDir);
    await this.#endOrphans(step);
    if (!fresh) return;
    await step(`Deleting ${stateDir}`, async () => deleteStateFolder(stateDir));
    claimStateFolder(stateDir);
    this.#unlock = lockState(stateDir);
  }

  #refuseWhenStopping(): void {
    if (this.#stopping.signal.aborted) throw new StackStoppedError('The stack was stopped while it was starting.');
  }

  /** Drains and stops in the order that loses nothing: API, workers, Temporal, PostgreSQL. Also in the middle of a start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#stopParts();
    await this.#starting;
    await this.#stopParts();
    this.#parts.clear();
    // Without the lock the folder is another stack's, or none at all.
    if (!this.#unlock) return;
    rmSync(temporalAddressFile(this.options.stateDir), { force: true });
    this.#unlock();
    this.#unlock = undefined;
  }

  async #stopParts(): Promise<void> {
    await this.#parts.get('api')?.stop();
    await Promise.all([this.#parts.get('pipeline-worker')?.stop(), this.#parts.get('training-worker')?.stop()]);
    await this.#parts.get('temporal')?.stop();
    await this.#parts.get('postgres')?.stop();
  }

  /** Ends everything without waiting, when this process is about to end. Nothing acknowledged is lost, as with a crash. */
  abandon(): void {
    this.#stopping.abort();
    for (const [name, part] of this.#parts) part.abandon(name === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
  }

  /** What the workers and the API get, as far as it is known before the servers run. */
  environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      STATE_DIR: this.options.stateDir,
      HOST,
      PORT: String(this.options.port),
      ...(this.options.logLevel ? { LOG_LEVEL: this.options.logLevel } : {}),
      ...this.options.env,
    };
  }

  logFile(part: Part): string {
    return join(this.options.stateDir, 'logs', `${part}.log`);
  }

  async #endOrphans(step: RunStep): Promise<void> {
    const left = PARTS.filter((part) => existsSync(this.#pidFile(part)));
    if (left.length === 0) return;
    await step('Ending what a killed former run has left', async () => {
      for (const part of left.toReversed()) await endOrphan(this.#pidFile(part), ...STOP[part]);
    });
  }

  #pidFile(part: Part): string {
    return join(this.options.stateDir, 'run', `${part}.pid`);
  }

  async #startPart(part: Part, options: Pick<SupervisedOptions, 'spawn' | 'waitUntilReady' | 'tries'>): Promise<void> {
    this.#refuseWhenStopping();
    const [stopSignal, patienceMs] = STOP[part];
    this.#rotateLog(part);
    const supervised = new SupervisedProcess({
      name: part,
      pidFile: this.#pidFile(part),
      stopSignal,
      patienceMs,
      onRestart: this.options.onRestart,
      ...options,
    });
    this.#parts.set(part, supervised);
    await supervised.start();
  }

  #rotateLog(part: Part): void {
    const file = this.logFile(part);
    mkdirSync(join(this.options.stateDir, 'logs'), { recursive: true });
    if (existsSync(file) && statSync(file).size > MOST_LOG_BYTES) renameSync(file, `${file}.1`);
  }

  async #startPostgres(): Promise<string> {
    const installation: PostgresInstallation = await installPostgres(this.options.stateDir);
    await this.#startPart('postgres', {
      spawn: () => spawnPostgres(installation, this.logFile('postgres'), this.#envOf('postgres', process.env)),
      waitUntilReady: (_child, isGivenUp) => waitForPostgres(installation, isGivenUp),
      // After a kill, processes of the former server may hold its memory for a moment.
      tries: 8,
    });
    return postgresUrl(installation);
  }

  async #startTemporal(step: RunStep): Promise<{ address: string; uiUrl?: string; namespace: string }> {
    const namespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const given = this.options.external?.temporalAddress;
    if (given) return { address: given, uiUrl: process.env['TEMPORAL_UI_URL'], namespace };
    const binary = await step('Temporal server', (say) => resolveTemporalBinary(say, this.#stopping.signal));
    return step('Temporal', async () => {
      const port = await choosePort('--temporal-port', this.options.temporalPort, TEMPORAL_PORT);
      const uiPort = await choosePort('--ui-port', this.options.uiPort, UI_PORT);
      const server: TemporalServerOptions = { binary, stateDir: this.options.stateDir, port, uiPort, namespace };
      await this.#startPart('temporal', {
        spawn: () => spawnTemporal(server, this.logFile('temporal')),
        waitUntilReady: (_child, isGivenUp) => waitForTemporal(server, isGivenUp),
        // It chooses ports of its own besides, which another process may take first.
        tries: 3,
      });
      return { address: `${HOST}:${port}`, uiUrl: `http://${HOST}:${uiPort}`, namespace };
    });
  }

  #childEnvironment(input: {
    databaseUrl: string;
    temporal: { address: string; uiUrl?: string; namespace: string };
    apiPort: number;
  }): NodeJS.ProcessEnv {
    return {
      ...this.environment(),
      DATABASE_URL: input.databaseUrl,
      TEMPORAL_ADDRESS: input.temporal.address,
      TEMPORAL_NAMESPACE: input.temporal.namespace,
      ...(input.temporal.uiUrl ? { TEMPORAL_UI_URL: input.temporal.uiUrl } : {}),
      PORT: String(input.apiPort),
      ...this.options.env,
    };
  }

  #envOf(part: Part, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return this.options.envOf?.(part, env) ?? env;
  }

  async #startOwnParts(env: NodeJS.ProcessEnv): Promise<void> {
    const scripts: [Part, string][] = [
      ['pipeline-worker', 'workers/pipeline-worker.js'],
      ['training-worker', 'workers/training-worker.js'],
      ['api', 'api/server.js'],
    ];
    await Promise.all(
      scripts.map(([part, script]) =>
        this.#startPart(part, {
          spawn: () => forkService(script, this.#envOf(part, env), this.logFile(part)),
          waitUntilReady: (child, hasEnded) => waitForService(part, child, hasEnded, this.logFile(part)),
        }),
      ),
    );
  }
}
