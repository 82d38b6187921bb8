import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { applyMigrations } from '../../services/database/apply-migrations.js';
import { compiledScript } from '../../services/project-root.js';
import {
  installPostgres,
  postgresUrl,
  spawnPostgres,
  waitForPostgres,
  type PostgresInstallation,
} from './embedded-postgres.js';
import { freePort, isPortFree } from './free-port.js';
import { readTail } from './read-tail.js';
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
  /** More variables for the workers and the API. */
  env?: Record<string, string>;
  /** Told when a part has died and is started again. */
  onRestart?: (part: string, how: string) => void;
}

export interface StackAddresses {
  api: string;
  temporal: string;
  temporalUi: string | undefined;
  databaseUrl: string;
}

/** Runs one step with whatever shows its progress. */
export type RunStep = <T>(title: string, work: (say: (line: string) => void) => Promise<T>) => Promise<T>;

const HOST = '127.0.0.1';
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
  #isStopping = false;

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
    const { stateDir, port } = this.options;
    this.#unlock = lockState(stateDir);
    try {
      await this.#endOrphans(step);
      if (port !== 0 && !(await isPortFree(port))) {
        throw new Error(
          `Port ${port} is taken by another program. Stop that program, or choose another port: npm start -- --port ${port + 1}.`,
        );
      }
      const apiPort = port === 0 ? await freePort() : port;
      const databaseUrl = process.env['DATABASE_URL'] || (await step('PostgreSQL', () => this.#startPostgres()));
      await step('Migrations', () => applyMigrations(databaseUrl));
      const temporal = await this.#startTemporal(step);
      const env = this.#childEnvironment({ databaseUrl, temporal, apiPort });
      await step('Workers and API', () => this.#startOwnParts(env));
      this.#addresses = {
        api: `http://${HOST}:${apiPort}`,
        temporal: temporal.address,
        temporalUi: temporal.uiUrl,
        databaseUrl,
      };
      return this.#addresses;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Drains and stops in the order that loses nothing: API, workers, Temporal, PostgreSQL. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    await this.#parts.get('api')?.stop();
    await Promise.all([this.#parts.get('pipeline-worker')?.stop(), this.#parts.get('training-worker')?.stop()]);
    await this.#parts.get('temporal')?.stop();
    await this.#parts.get('postgres')?.stop();
    this.#parts.clear();
    this.#unlock?.();
    this.#unlock = undefined;
    this.#isStopping = false;
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

  async #startPart(part: Part, options: Pick<SupervisedOptions, 'spawn' | 'waitUntilReady'>): Promise<void> {
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
      spawn: () => spawnPostgres(installation, this.logFile('postgres')),
      waitUntilReady: (_child, isGivenUp) => waitForPostgres(installation, isGivenUp),
    });
    return postgresUrl(installation);
  }

  async #startTemporal(step: RunStep): Promise<{ address: string; uiUrl?: string; namespace: string }> {
    const namespace = process.env['TEMPORAL_NAMESPACE'] || 'default';
    const given = process.env['TEMPORAL_ADDRESS'];
    if (given) return { address: given, uiUrl: process.env['TEMPORAL_UI_URL'], namespace };
    const binary = await step('Temporal server', (say) => resolveTemporalBinary(say));
    return step('Temporal', async () => {
      const port = await freePort(this.options.temporalPort ?? 7233);
      const uiPort = await freePort(this.options.uiPort ?? 8233);
      const server: TemporalServerOptions = { binary, stateDir: this.options.stateDir, port, uiPort, namespace };
      await this.#startPart('temporal', {
        spawn: () => spawnTemporal(server, this.logFile('temporal')),
        waitUntilReady: (_child, isGivenUp) => waitForTemporal(server, isGivenUp),
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
      ...process.env,
      DATABASE_URL: input.databaseUrl,
      TEMPORAL_ADDRESS: input.temporal.address,
      TEMPORAL_NAMESPACE: input.temporal.namespace,
      ...(input.temporal.uiUrl ? { TEMPORAL_UI_URL: input.temporal.uiUrl } : {}),
      STATE_DIR: this.options.stateDir,
      HOST,
      PORT: String(input.apiPort),
      ...(this.options.logLevel ? { LOG_LEVEL: this.options.logLevel } : {}),
      ...this.options.env,
    };
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
          spawn: () => this.#forkScript(part, script, env),
          waitUntilReady: (child, isGivenUp) => this.#waitForReady(part, child, isGivenUp),
        }),
      ),
    );
  }

  #forkScript(part: Part, script: string, env: NodeJS.ProcessEnv): ChildProcess {
    const log = openSync(this.logFile(part), 'a');
    try {
      return fork(compiledScript(script), {
        env,
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        execArgv: ['--enable-source-maps'],
      });
    } finally {
      closeSync(log);
    }
  }

  #waitForReady(part: Part, child: ChildProcess, isGivenUp: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${part} was not ready within 60 s. Its log: ${this.logFile(part)}`)),
        60_000,
      );
      child.on('message', (message) => {
        if ((message as { ready?: boolean }).ready) finish(resolve);
      });
      const onExit = () =>
        finish(() => reject(new Error(`${part} ended at its start:\n${lastLines(this.logFile(part))}`)));
      child.once('exit', onExit);
      if (isGivenUp()) onExit();
      function finish(end: () => void) {
        clearTimeout(timer);
        child.removeListener('exit', onExit);
        end();
      }
    });
  }
}

function lastLines(file: string): string {
  return readTail(file)
    .trimEnd()
    .split('\n')
    .slice(-8)
    .map((line) => `    ${line}`)
    .join('\n');
}
