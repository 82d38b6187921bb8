import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../infra/local/free-port.js';
import { projectRoot } from '../../services/project-root.js';
import { pause } from './api-client.js';

const FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
const binaryOf = (name: string) => FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));

/** Whether this machine has a Prometheus to test with; says so aloud where it has not. */
export function hasPrometheus(): boolean {
  const isThere = binaryOf('prometheus') !== undefined && binaryOf('promtool') !== undefined;
  if (!isThere) process.stderr.write('SKIPPED tests with Prometheus: prometheus and promtool are not installed.\n');
  return isThere;
}

/** Runs promtool. @returns what it printed. @throws Error with it when it found something wrong */
export function promtool(flags: string[], input?: string): string {
  return execFileSync(binaryOf('promtool')!, flags, { encoding: 'utf8', input, stdio: 'pipe' });
}

export interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

/** A real Prometheus with our rules, which scrapes one API every second, and has done so once when it is started. */
export class PrometheusServer {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(api: string): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), 'mlops-prometheus-'));
    const rules = join(projectRoot(), 'infra/prometheus/rules/*.yml');
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'mlops', static_configs: [{ targets: [new URL(api).host] }] }],
    };
    // JSON is YAML.
    writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      binaryOf('prometheus')!,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const server = new PrometheusServer(`http://${address}`, child, folder);
    while (!(await fetch(`${server.url}/-/ready`).catch(() => undefined))?.ok) await pause(100);
    // It is ready some five seconds before it asks anyone: what happens until then would never be seen to grow.
    while ((await server.query('up == 1')).length === 0) await pause(100);
    return server;
  }

  /** What an expression is now. @throws Error for one that Prometheus does not take */
  async query(expr: string): Promise<Series[]> {
    return (await this.#ask<{ result: Series[] }>('query', { query: expr })).result;
  }

  /** The exemplars of the series of a selector, of the last hour. */
  async exemplars(selector: string): Promise<{ exemplars: { labels: Record<string, string> }[] }[]> {
    const now = Date.now() / 1000;
    return this.#ask('query_exemplars', { query: selector, start: String(now - 3600), end: String(now) });
  }

  async #ask<T>(endpoint: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${endpoint}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`Prometheus refuses ${JSON.stringify(parameters)}: ${error}`);
    return data;
  }

  async stop(): Promise<void> {
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
