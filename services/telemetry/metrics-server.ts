import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { ownerName } from '../spool/owner.js';
import type { MeasuredMetric } from './merge-metrics.js';
import type { Logger } from './logger.js';
import { METRIC_FORMATS, renderMetrics } from './render-metrics.js';

/** Where the workers of a machine say at which address each tells its metrics. */
export const announcementsFolder = (stateDir: string) => join(stateDir, 'metrics');

export interface MetricsServerOptions {
  component: string;
  stateDir: string;
  host: string;
  /** 0 = any free one. */
  port: number;
  /** Called before each answer, to bring the registry up to date. */
  collect: () => void;
  registry: Registry;
  logger: Logger;
}

/**
 * Tells the metrics of a worker over HTTP: in Prometheus' text format to whoever asks, as JSON to the API of the same machine, which finds it
 * by a file in the state folder and adds what it tells to its own `/metrics`.
 */
export class MetricsServer {
  readonly #server: Server;
  readonly #file: string;

  constructor(private readonly options: MetricsServerOptions) {
    this.#file = join(announcementsFolder(options.stateDir), `${ownerName()}.json`);
    this.#server = createServer((request, response) => {
      const isForApi = request.headers.accept === 'application/json';
      void this.#metrics().then((metrics) => {
        response.setHeader('Content-Type', isForApi ? 'application/json' : METRIC_FORMATS.text);
        response.end(isForApi ? JSON.stringify(metrics) : renderMetrics(metrics, 'text'));
      });
    });
  }

  /** A worker whose port is taken goes on without telling its metrics there: it takes another one, and says so. */
  async start(): Promise<void> {
    const { host, port, logger, component, stateDir } = this.options;
    try {
      await this.#listen(port);
    } catch (error) {
      logger.warn({ err: error, host, port }, 'metrics cannot be told at WORKER_METRICS_PORT; a free port is taken');
      await this.#listen(0);
    }
    const { address, port: taken } = this.#server.address() as AddressInfo;
    // Whatever it listens on, the API of this machine reaches it by loopback.
    const isEverywhere = address === '0.0.0.0' || address === '::';
    const reachable = isEverywhere ? '127.0.0.1' : address.includes(':') ? `[${address}]` : address;
    mkdirSync(announcementsFolder(stateDir), { recursive: true });
    writeFileSync(this.#file, JSON.stringify({ url: `http://${reachable}:${taken}/metrics` }));
    this.#server.unref();
    logger.info({ component, port: taken }, 'metrics are told');
  }

  async stop(): Promise<void> {
    rmSync(this.#file, { force: true });
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #metrics(): Promise<MeasuredMetric[]> {
    this.options.collect();
    return this.options.registry.getMetricsAsJSON() as Promise<unknown> as Promise<MeasuredMetric[]>;
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, this.options.host, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }
}
