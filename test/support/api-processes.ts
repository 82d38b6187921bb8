import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { PATIENT, type TestStack } from '../../infra/local/test-stack.js';
import { compiledScript } from '../../services/project-root.js';

export interface ApiProcess {
  url: string;
  child: ChildProcess;
  /** What it has written to its log so far. */
  log: () => string;
}

/** API processes besides the one of a stack, on its state and its servers, with settings of their own. */
export class ApiProcesses {
  readonly #started: ChildProcess[] = [];

  constructor(private readonly stack: () => TestStack) {}

  async start(env: Record<string, string> = {}): Promise<ApiProcess> {
    const { databaseUrl, temporal, stateDir } = this.stack().addresses;
    const child = fork(compiledScript('api/server.js'), {
      env: {
        ...process.env,
        STATE_DIR: stateDir,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporal,
        PORT: '0',
        HOST: '127.0.0.1',
        API_WORKERS: '1',
        ...PATIENT,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.#started.push(child);
    let log = '';
    child.stdout!.on('data', (chunk) => (log += String(chunk)));
    for (;;) {
      const [message] = (await once(child, 'message')) as [{ ready?: boolean; address?: string }];
      if (message.ready) return { url: message.address!, child, log: () => log };
    }
  }

  /** SIGKILL for all that still run. @returns when they are gone */
  async killAll(): Promise<void> {
    await Promise.all(
      this.#started.splice(0).map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }),
    );
  }
}
