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

/** An API process of one worker on a free port, with these settings besides. */
function forkApi(env: Record<string, string>): { child: ChildProcess; ready: Promise<ApiProcess> } {
  const child = fork(compiledScript('api/server.js'), {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', API_WORKERS: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  let log = '';
  child.stdout!.on('data', (chunk) => (log += String(chunk)));
  const untilReady = async () => {
    for (;;) {
      const [message] = (await once(child, 'message')) as [{ ready?: boolean; address?: string }];
      if (message.ready) return { url: message.address!, child, log: () => log };
    }
  };
  return { child, ready: untilReady() };
}

/** An API process that has a database and a models file alone: it needs neither Temporal nor workers to be attacked. */
export const startBareApi = (
  env: Record<'STATE_DIR' | 'DATABASE_URL' | 'MODELS_CONFIG', string> & Record<string, string>,
) => forkApi({ TEMPORAL_ADDRESS: '127.0.0.1:1', ...env }).ready;

/** API processes besides the one of a stack, on its state and its servers, with settings of their own. */
export class ApiProcesses {
  readonly #started: ChildProcess[] = [];

  constructor(private readonly stack: () => TestStack) {}

  async start(env: Record<string, string> = {}): Promise<ApiProcess> {
    const { databaseUrl, temporal, stateDir } = this.stack().addresses;
    const { child, ready } = forkApi({
      STATE_DIR: stateDir,
      DATABASE_URL: databaseUrl,
      TEMPORAL_ADDRESS: temporal,
      ...PATIENT,
      ...env,
    });
    this.#started.push(child);
    return ready;
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
