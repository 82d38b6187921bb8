import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { freePort } from '../../infra/local/free-port.js';

const BINARY = ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'].find((path) =>
  existsSync(path),
);

const UP_WITHIN_MS = 30_000;

/** Whether this machine has a Redis to test with; says so aloud where it has not. */
export function hasRedis(): boolean {
  if (!BINARY) process.stderr.write('SKIPPED tests with Redis: redis-server is not installed.\n');
  return BINARY !== undefined;
}

/** A real Redis without files, behind a password, that can be started again on its port. */
export class RedisServer {
  static readonly PASSWORD = 'kept-out-of-logs';
  #process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly tls?: { ca: string; cert: string; key: string },
  ) {}

  /** @param tls takes clients with a certificate of `ca` only, and nothing in the clear */
  static async start(tls?: { ca: string; cert: string; key: string }): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), tls);
    await server.startAgain();
    return server;
  }

  url(password = RedisServer.PASSWORD): string {
    return `${this.tls ? 'rediss' : 'redis'}://:${password}@127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  async startAgain(env: NodeJS.ProcessEnv = process.env): Promise<void> {
    const { tls, port } = this;
    const ports = tls
      ? [
          '--port',
          '0',
          '--tls-port',
          port,
          '--tls-cert-file',
          tls.cert,
          '--tls-key-file',
          tls.key,
          '--tls-ca-cert-file',
          tls.ca,
        ]
      : ['--port', port];
    const options = [...ports.map(String), '--bind', '127.0.0.1', '--save', ''];
    this.#process = spawn(BINARY!, [...options, '--requirepass', RedisServer.PASSWORD], { stdio: 'ignore', env });
    for (const deadlineMs = Date.now() + UP_WITHIN_MS; !(await this.#answers()); await sleep(60))
      if (!this.isRunning || Date.now() > deadlineMs)
        throw new Error(`redis-server did not come up on port ${port} within ${UP_WITHIN_MS / 1000} s.`);
  }

  /** Sends one command. @returns its answer, as text */
  async command(words: readonly string[]): Promise<string> {
    const files = this.tls && Object.entries(this.tls).map(([name, path]) => [name, readFileSync(path)] as const);
    const client = createClient({
      url: this.url(),
      socket: { reconnectStrategy: false, ...(files ? { tls: true as const, ...Object.fromEntries(files) } : {}) },
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return String(await client.sendCommand([...words]));
    } finally {
      if (client.isOpen) client.destroy();
    }
  }

  #answers(): Promise<boolean> {
    return this.command(['PING']).then(
      () => true,
      () => false,
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** @returns when it is gone, however it was before */
  async kill9(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
