import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '../../infra/local/free-port.js';
import { forkService, waitForService } from '../../infra/local/service-process.js';
import { PATIENT } from '../../infra/local/test-stack.js';

const SCRIPTS = {
  'pipeline-worker': 'workers/pipeline-worker.js',
  'training-worker': 'workers/training-worker.js',
  api: 'api/server.js',
} as const;
export type MachinePart = keyof typeof SCRIPTS;

/** The processes of one machine of several, with a state folder of its own, and nothing of the others but their addresses. */
export class Machine {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'mlops-machine-'));
  readonly #children = new Map<MachinePart, ChildProcess>();

  private constructor(
    private readonly port: number,
    private readonly env: Record<string, string>,
  ) {}

  /** @param env where the servers of all are, and what else the processes are told */
  static async start(env: Record<string, string>): Promise<Machine> {
    const machine = new Machine(await freePort(), env);
    mkdirSync(join(machine.stateDir, 'logs'));
    await Promise.all((Object.keys(SCRIPTS) as MachinePart[]).map((part) => machine.startPart(part)));
    return machine;
  }

  get api(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  pid(part: MachinePart): number {
    return this.#children.get(part)!.pid!;
  }

  logFile(part: MachinePart): string {
    return join(this.stateDir, 'logs', `${part}.log`);
  }

  /** @param more settings of this part alone */
  async startPart(part: MachinePart, more: Record<string, string> = {}): Promise<void> {
    const own = { STATE_DIR: this.stateDir, HOST: '127.0.0.1', PORT: String(this.port), API_WORKERS: '1' };
    const env = { ...process.env, ...PATIENT, ...this.env, ...own, ...more };
    const child = forkService(SCRIPTS[part], env, this.logFile(part));
    this.#children.set(part, child);
    await waitForService(part, child, () => child.exitCode !== null || child.signalCode !== null, this.logFile(part));
  }

  /** SIGTERM. @returns when it has drained and ended */
  async stopPart(part: MachinePart, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#children.get(part);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Ends all at once, and deletes the folder. */
  async stop(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((part) => this.stopPart(part, 'SIGKILL')));
    rmSync(this.stateDir, { recursive: true, force: true });
  }
}
