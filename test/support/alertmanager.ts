import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../infra/local/free-port.js';
import { pause } from './api-client.js';

const BINARY = ['/usr/bin/prometheus-alertmanager', '/usr/bin/alertmanager', '/usr/local/bin/alertmanager'].find(
  (path) => existsSync(path),
);

/** What an Alertmanager tells of an alert. */
export interface PostedAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  status: { state: string };
}

/** Whether this machine has an Alertmanager to test with; says so aloud where it has not. */
export function hasAlertmanager(): boolean {
  if (!BINARY) process.stderr.write('SKIPPED tests with Alertmanager: prometheus-alertmanager is not installed.\n');
  return BINARY !== undefined;
}

/** A real Alertmanager that tells nobody of anything. */
export class Alertmanager {
  private constructor(
    readonly url: string,
    private readonly server: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(): Promise<Alertmanager> {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-alertmanager-'));
    const config = join(folder, 'config.yaml');
    writeFileSync(config, 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n');
    const address = `127.0.0.1:${await freePort()}`;
    const options = [`--config.file=${config}`, `--storage.path=${folder}`, `--web.listen-address=${address}`];
    const server = spawn(BINARY!, [...options, '--cluster.listen-address='], { stdio: 'ignore' });
    const started = new Alertmanager(`http://${address}`, server, folder);
    for (;;) {
      const answer = await fetch(`${started.url}/-/ready`).catch(() => undefined);
      if (answer?.ok) return started;
      if (server.exitCode !== null) throw new Error(`Alertmanager ended with code ${server.exitCode}.`);
      await pause(60);
    }
  }

  /** Alerts that have not ended. */
  async alerts(): Promise<PostedAlert[]> {
    return (await (await fetch(`${this.url}/api/v2/alerts`)).json()) as PostedAlert[];
  }

  async stop(): Promise<void> {
    this.server.kill('SIGKILL');
    if (this.server.exitCode === null && this.server.signalCode === null) await once(this.server, 'exit');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
