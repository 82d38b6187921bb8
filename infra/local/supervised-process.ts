import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  endProcess,
  identityOf,
  isRunning,
  signalProcess,
  type ProcessIdentity,
} from '../../services/process-identity.js';

export interface SupervisedOptions {
  name: string;
  /** Its identity is kept here, so that a later run can end an orphan. */
  pidFile: string;
  spawn: () => ChildProcess;
  /** Resolves when the process does its work; may look at whether it has ended meanwhile. */
  waitUntilReady: (child: ChildProcess, isGivenUp: () => boolean) => Promise<void>;
  stopSignal: NodeJS.Signals;
  patienceMs: number;
  /** How often the first start is tried while the process ends before it is ready; 1 without. */
  tries?: number;
  onRestart?: (name: string, how: string) => void;
}

const TRY_AGAIN_MS = 1000;
const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 10_000;
const HEALTHY_AFTER_MS = 60_000;

/** A child that is started again whenever it dies, until it is told to stop. */
export class SupervisedProcess {
  #child: ChildProcess | undefined;
  #identity: ProcessIdentity | undefined;
  #isStopping = false;
  #delayMs = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly options: SupervisedOptions) {}

  get name(): string {
    return this.options.name;
  }

  get pid(): number | undefined {
    return this.#identity?.pid;
  }

  /** Starts the process and waits until it is ready. @throws Error when it ends before that, each time that it may be tried. */
  async start(): Promise<void> {
    this.#isStopping = false;
    this.#delayMs = FIRST_DELAY_MS;
    for (let tries = this.options.tries ?? 1; ; tries--) {
      const child = this.#launch(false);
      const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
      try {
        await this.options.waitUntilReady(child, hasEnded);
        return this.#keepAlive(child);
      } catch (error) {
        if (tries <= 1 || this.#isStopping || !hasEnded()) throw error;
        await sleep(TRY_AGAIN_MS);
      }
    }
  }

  #launch(isRestart: boolean): ChildProcess {
    const startMs = Date.now();
    const child = this.options.spawn();
    this.#child = child;
    this.#identity = child.pid === undefined ? undefined : (identityOf(child.pid) ?? { pid: child.pid, startedAt: '' });
    mkdirSync(dirname(this.options.pidFile), { recursive: true });
    writeFileSync(this.options.pidFile, JSON.stringify(this.#identity ?? {}));
    child.on('error', () => undefined);
    if (isRestart) this.#keepAlive(child, startMs);
    return child;
  }

  #keepAlive(child: ChildProcess, startMs = Date.now()): void {
    const again = (reason?: string) => {
      if (this.#isStopping || this.#child !== child) return;
      if (Date.now() - startMs > HEALTHY_AFTER_MS) this.#delayMs = FIRST_DELAY_MS;
      this.#scheduleRestart(reason ?? child.signalCode ?? `code ${child.exitCode}`);
    };
    // A process that could not even be spawned tells of no exit.
    if (child.pid === undefined) child.once('error', (error: NodeJS.ErrnoException) => again(error.code));
    else if (child.exitCode !== null || child.signalCode !== null) again();
    else child.once('exit', () => again());
  }

  #scheduleRestart(how: string): void {
    this.options.onRestart?.(this.name, how);
    this.#timer = setTimeout(() => {
      if (this.#isStopping) return;
      try {
        this.#launch(true);
      } catch (error) {
        // For instance the log folder is gone. The others must not die of it, so it is tried again, ever more rarely.
        this.#scheduleRestart((error as Error).message);
      }
    }, this.#delayMs);
    this.#delayMs = Math.min(LONGEST_DELAY_MS, this.#delayMs * 2);
  }

  /** Ends the process and does not start it again. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    if (this.#identity) await endProcess(this.#identity, this.options.stopSignal, this.options.patienceMs);
    rmSync(this.options.pidFile, { force: true });
  }

  /** Sends a signal and does not wait, for a supervisor that is about to end itself. Nothing is started again. */
  abandon(signal: NodeJS.Signals): void {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    if (this.#identity) signalProcess(this.#identity, signal);
  }

  /** For tests: SIGKILL, as a crash would; the supervisor then starts it again. */
  kill9(): void {
    if (this.#identity) signalProcess(this.#identity, 'SIGKILL');
  }
}

/** Ends a process that a killed supervisor has left; another program that got its number is not touched. */
export async function endOrphan(pidFile: string, stopSignal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
  let identity: ProcessIdentity;
  try {
    identity = JSON.parse(readFileSync(pidFile, 'utf8')) as ProcessIdentity;
  } catch {
    return false;
  }
  const isOrphan = typeof identity.pid === 'number' && isRunning(identity);
  if (isOrphan) await endProcess(identity, stopSignal, patienceMs);
  rmSync(pidFile, { force: true });
  return isOrphan;
}
