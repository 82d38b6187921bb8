import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endOnSignal } from './end-on-signal.js';
import { LocalStack, PARTS, type LocalStackOptions, type Part, type StackAddresses } from './local-stack.js';
import { runSilently } from './progress-lines.js';
import { deleteStateFolder } from './state-folder.js';

/** Several stacks share the cores of a machine that tests: turning callers away is for the tests of it. */
export const PATIENT = { MAX_REQUEST_WAIT: '60000' };

/** What a test does to the parts of its stack. */
export interface StackHooks extends Pick<LocalStackOptions, 'envOf'> {
  /** Called with the state folder before anything is in it. */
  prepare?: (stateDir: string) => void;
}

/**
 * A whole throw-away service for tests: real PostgreSQL, Temporal, workers and API on free ports. It never uses the servers
 * that DATABASE_URL and TEMPORAL_ADDRESS name: tests must not write into anyone's database.
 */
export class TestStack {
  #stack: LocalStack;
  readonly #forget = endOnSignal(() => this.stop());

  private constructor(
    readonly stateDir: string,
    private readonly env: Record<string, string>,
    private readonly hooks: StackHooks,
  ) {
    this.#stack = this.#create();
  }

  static async start(env: Record<string, string> = {}, hooks: StackHooks = {}): Promise<TestStack> {
    const stack = new TestStack(mkdtempSync(join(tmpdir(), 'mlops-stack-')), env, hooks);
    try {
      hooks.prepare?.(stack.stateDir);
      await stack.startAgain();
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  #create(): LocalStack {
    // Nor do tests write where the caller's own environment keeps its models and data.
    const env = {
      MODEL_STORAGE_PATH: '',
      DATA_STORAGE_PATH: '',
      DATA_SOURCE_ROOTS: '',
      MODELS_CONFIG: '',
      ...PATIENT,
      ...this.env,
    };
    const { envOf } = this.hooks;
    return new LocalStack({ stateDir: this.stateDir, port: 0, temporalPort: 0, uiPort: 0, env, envOf });
  }

  get addresses(): StackAddresses {
    return this.#stack.addresses;
  }

  get api(): string {
    return this.#stack.addresses.api;
  }

  logFile(part: Part): string {
    return this.#stack.logFile(part);
  }

  pid(part: Part): number | undefined {
    return this.#stack.part(part).pid;
  }

  /** SIGKILL; the supervisor starts the part again, as it does for users. */
  kill9(part: Part): void {
    this.#stack.part(part).kill9();
  }

  /** Ends a part in its own way; nobody starts it again. */
  async stopPart(part: Part): Promise<void> {
    await this.#stack.part(part).stop();
  }

  /** @returns when the part is ready again */
  async startPart(part: Part): Promise<void> {
    await this.#stack.part(part).start();
  }

  /** SIGKILL for every part at once, and nobody to start them again: the machine lost power. */
  async killEverything(): Promise<void> {
    const parts = PARTS.map((part) => this.#stack.part(part));
    for (const part of parts) part.kill9();
    await this.#stack.stop();
    this.#stack = this.#create();
  }

  /** Starts a stopped or killed stack on the same state. */
  async startAgain(): Promise<void> {
    await this.#stack.start(runSilently);
  }

  /** Stops as Ctrl-C does, and keeps the state. */
  async stopKeepingState(): Promise<void> {
    await this.#stack.stop();
    this.#stack = this.#create();
  }

  async stop(): Promise<void> {
    await this.#stack.stop();
    deleteStateFolder(this.stateDir);
    this.#forget();
  }
}
