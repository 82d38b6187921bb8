import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../infra/local/free-port.js';
import { findPython } from './python-packages.js';

const RELEASE = '2.22.0';

/** A Python with MLflow; undefined, with the reason, where there is no Python or no way to its packages. */
export function findMlflowPython(): { python: string } | { reason: string } {
  const found = findPython(join('mlflow', `v${RELEASE}`), [`mlflow==${RELEASE}`, 'sqlalchemy<2.1']);
  return 'bin' in found ? { python: join(found.bin, 'python') } : found;
}

/** A real MLflow server on throw-away state. It can be stopped and started again on it. */
export class MlflowServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mlops-mlflow-'));
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(private readonly python: string) {}

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The address before the server is there: for a service that is started first. */
  async reserve(): Promise<string> {
    this.#port ||= await freePort();
    return this.url;
  }

  async start(): Promise<void> {
    await this.reserve();
    this.#child = spawn(
      this.python,
      [
        '-m',
        'mlflow',
        'server',
        '--host=127.0.0.1',
        `--port=${this.#port}`,
        '--workers=1',
        `--backend-store-uri=sqlite:///${join(this.#folder, 'mlflow.db')}`,
        `--artifacts-destination=${join(this.#folder, 'artifacts')}`,
      ],
      // Its server is found beside the interpreter. The group is ended as a whole.
      {
        cwd: this.#folder,
        stdio: 'ignore',
        detached: true,
        env: { ...process.env, PATH: `${join(this.python, '..')}:${process.env['PATH']}` },
      },
    );
    for (const deadline = Date.now() + 90_000; Date.now() < deadline;) {
      const answer = await fetch(`${this.url}/health`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('MLflow was not ready within 90 s.');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async call<T>(path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.url}/api/2.0/mlflow/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return (await response.json()) as T;
  }
}
