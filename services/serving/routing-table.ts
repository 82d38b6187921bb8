import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../database/database.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { writeStaged } from '../storage/staged-file.js';
import { loadScorer } from './load-scorer.js';
import type { Scorer } from './scorer.js';
import { warmUp } from './warm-up.js';

/** A version that is loaded, tested and ready to answer. */
export interface ServedModel {
  model: string;
  version: string;
  scorer: Scorer;
}

export interface Route {
  model: string;
  version: string;
  digest: string;
}

/** The tables are looked at this often, besides the notifications. */
const POLL_MS = 2000;

/**
 * Which version answers for each model, in memory, so that a prediction needs neither database nor Temporal. A new version
 * takes over only when it is loaded and tested; one that fails leaves the former one in place.
 */
export class RoutingTable {
  readonly #served = new Map<string, ServedModel>();
  readonly #snapshotFile: string;
  #routes: Route[] = [];
  #timer: NodeJS.Timeout | undefined;
  #listener: pg.Client | undefined;
  #refreshing: Promise<void> | undefined;
  #isDirty = false;
  #isStopped = false;

  constructor(
    private readonly context: {
      database: Database;
      databaseUrl: string;
      modelStoragePath: string;
      stateDir: string;
      logger: Logger;
      metrics: Metrics;
    },
  ) {
    this.#snapshotFile = join(context.stateDir, 'routing.json');
  }

  /** Loads what is deployed; from the last snapshot when the database is away. */
  async start(): Promise<void> {
    await this.refresh().catch(async (error: unknown) => {
      this.context.logger.warn({ err: error }, 'the routes cannot be read from the database; the last snapshot serves');
      await this.#apply(await this.#readSnapshot());
    });
    this.#timer = setInterval(() => void this.#refreshQuietly(), POLL_MS);
    void this.#listen();
  }

  served(model: string): ServedModel | undefined {
    return this.#served.get(model);
  }

  /** The version that should be served, whether it could be loaded or not. */
  wanted(model: string): string | undefined {
    return this.#routes.find((route) => route.model === model)?.version;
  }

  all(): ServedModel[] {
    return [...this.#served.values()];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#listener
      ?.end()
      .catch((error: unknown) => this.context.logger.debug({ err: error }, 'the listener was gone already'));
  }

  /** Reads the routes and loads what changed; calls that come while one runs are joined into one more run. */
  async refresh(): Promise<void> {
    this.#isDirty = true;
    this.#refreshing ??= this.#refreshUntilClean().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async #refreshUntilClean(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      const { rows } = await this.context.database.pool.query<Route>(
        'SELECT r.model, r.version, v.digest FROM routes r JOIN model_versions v USING (model, version) ORDER BY r.model',
      );
      await this.#apply(rows);
    }
  }

  async #refreshQuietly(): Promise<void> {
    await this.refresh().catch((error: unknown) =>
      this.context.logger.debug({ err: error }, 'the routes cannot be read at present'),
    );
  }

  async #apply(routes: Route[]): Promise<void> {
    const isChanged = JSON.stringify(routes) !== JSON.stringify(this.#routes);
    this.#routes = routes;
    for (const model of this.#served.keys()) if (!routes.some((route) => route.model === model)) this.#withdraw(model);
    for (const route of routes) {
      const current = this.#served.get(route.model);
      if (current?.version === route.version && current.scorer.bundle.digest === route.digest) continue;
      await this.#load(route);
    }
    if (isChanged) await writeStaged(this.#snapshotFile, JSON.stringify(routes));
  }

  async #load(route: Route): Promise<void> {
    const { logger, metrics, modelStoragePath } = this.context;
    try {
      const { scorer } = await loadScorer(modelStoragePath, route.model, route.digest);
      await warmUp(scorer);
      const before = this.#served.get(route.model);
      if (before) metrics.servedVersion.remove(route.model, before.version);
      this.#served.set(route.model, { model: route.model, version: route.version, scorer });
      metrics.servedVersion.set({ model: route.model, version: route.version }, 1);
      logger.info({ model: route.model, version: route.version, former: before?.version }, 'version is being served');
    } catch (error) {
      logger.error(
        { err: error, model: route.model, version: route.version, serving: this.#served.get(route.model)?.version },
        'version cannot be loaded; the former one goes on',
      );
    }
  }

  #withdraw(model: string): void {
    const version = this.#served.get(model)?.version ?? '';
    this.#served.delete(model);
    this.context.metrics.servedVersion.remove(model, version);
    this.context.logger.info({ model, version }, 'model is no longer served');
  }

  async #readSnapshot(): Promise<Route[]> {
    try {
      return JSON.parse(await readFile(this.#snapshotFile, 'utf8')) as Route[];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.context.logger.warn({ err: error }, 'the routing snapshot cannot be read');
      return [];
    }
  }

  /** Hears of a new route at once; while this cannot connect, polling finds it within two seconds. */
  async #listen(): Promise<void> {
    if (this.#isStopped) return;
    const client = new pg.Client({
      connectionString: this.context.databaseUrl,
      connectionTimeoutMillis: 3000,
      keepAlive: true,
    });
    this.#listener = client;
    const again = () => {
      if (this.#listener !== client || this.#isStopped) return;
      this.#listener = undefined;
      setTimeout(() => void this.#listen(), POLL_MS).unref();
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', () => void this.#refreshQuietly());
    try {
      await client.connect();
      await client.query(`LISTEN ${ROUTES_CHANNEL}`);
    } catch (error) {
      this.context.logger.debug({ err: error }, 'cannot listen for routes at present');
      again();
    }
  }
}
