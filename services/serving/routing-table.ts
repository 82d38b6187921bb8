import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdaptiveAllocation } from '../../core/decisions/allocation.js';
import { ChannelListener } from '../database/channel-listener.js';
import type { Database } from '../database/database.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { writeStaged } from '../storage/staged-file.js';
import { loadScorer } from './load-scorer.js';
import type { ExperimentArmRoute, ExperimentSlice } from '../experiments/experiment-arms.js';
import type { Scorer } from './scorer.js';
import { warmUp } from './warm-up.js';

/** A version that is loaded, tested and ready to answer. */
export interface ServedModel {
  model: string;
  version: string;
  scorer: Scorer;
  /** The version that is on trial beside this one. */
  rollout?: ActiveRollout;
  /** Comparisons that some of the entities take part in. */
  experiments?: readonly ActiveExperiment[];
}

export interface ActiveExperiment extends ExperimentSlice {
  experimentId: string;
  layer: string;
  /** Of one whose chances change: its batches that are open. */
  allocation?: AdaptiveAllocation | null;
  arms: readonly ActiveArm[];
}

export interface ActiveArm {
  arm: string;
  weight: number;
  retired: boolean;
  /** Undefined where this process cannot load it: the present version then stands in, and the failure counts against the arm. */
  served?: ServedModel;
}

export interface ActiveRollout {
  deploymentId: string;
  /** `shadow`: it scores, and this version answers. `canary`: it answers its share of the entities. */
  phase: 'shadow' | 'canary';
  /** Percentage of the entities that it answers. */
  share: number;
  candidate: ServedModel;
}

export interface Route {
  model: string;
  version: string;
  digest: string;
  /** The trial beside it, where there is one. */
  trial?: { deploymentId: string; phase: 'shadow' | 'canary'; share: number; version: string; digest: string } | null;
  experiments?: (Omit<ActiveExperiment, 'arms'> & { arms: ExperimentArmRoute[]; control: string })[] | null;
}

const READ_ROUTES = `SELECT r.model, r.version, v.digest,
    CASE WHEN r.phase IS NOT NULL THEN json_build_object('deploymentId', r.rollout_id, 'phase', r.phase, 'share', r.share,
      'version', r.candidate_version, 'digest', c.digest) END AS trial,
    (SELECT json_agg(json_build_object('experimentId', e.id, 'firstBucket', e.first_bucket, 'endBucket', e.end_bucket,
       'arms', e.arms, 'control', e.control, 'layer', e.layer, 'allocation', e.allocation) ORDER BY e.id)
     FROM experiments e WHERE e.model = r.model AND e.state = 'running') AS experiments
  FROM routes r JOIN model_versions v USING (model, version)
  LEFT JOIN model_versions c ON c.model = r.model AND c.version = r.candidate_version
  ORDER BY r.model`;

/** The tables are looked at this often, besides the notifications. */
const POLL_MS = 1000;

/**
 * Which version answers for each model, in memory, so that a prediction needs neither database nor Temporal. A new version
 * takes over only when it is loaded and tested; one that fails leaves the former one in place.
 */
export class RoutingTable {
  readonly #served = new Map<string, ServedModel>();
  readonly #snapshotFile: string;
  #routes: Route[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #listener: ChannelListener;
  #refreshing: Promise<void> | undefined;
  #isDirty = false;

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
    const onNotice = () => void this.#refreshQuietly();
    this.#listener = new ChannelListener({ ...context, channel: ROUTES_CHANNEL, onNotice });
  }

  /** Loads what is deployed; from the last snapshot when the database is away. */
  async start(): Promise<void> {
    await this.refresh().catch(async (error: unknown) => {
      this.context.logger.warn({ err: error }, 'the routes cannot be read from the database; the last snapshot serves');
      await this.#apply(await this.#readSnapshot());
    });
    this.#timer = setInterval(() => void this.#refreshQuietly(), POLL_MS);
    void this.#listener.start();
  }

  served(model: string): ServedModel | undefined {
    return this.#served.get(model);
  }

  /** The version that should be served, whether it could be loaded or not. */
  wanted(model: string): string | undefined {
    return this.#routes.find((route) => route.model === model)?.version;
  }

  /** Models that should be served and that this process could not load. */
  unserved(): string[] {
    return this.#routes.flatMap(({ model }) => (this.#served.has(model) ? [] : [model]));
  }

  all(): ServedModel[] {
    return [...this.#served.values()];
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#listener.stop();
  }

  /** Reads the routes and loads what changed; calls that come while one runs are joined into one more run. */
  async refresh(): Promise<void> {
    this.#isDirty = true;
    // One that has just ended may stand here still, and has not seen what this call is about.
    while (this.#isDirty) {
      this.#refreshing ??= this.#refreshUntilClean().finally(() => (this.#refreshing = undefined));
      await this.#refreshing;
    }
  }

  async #refreshUntilClean(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      const { rows } = await this.context.database.pool.query<Route>(READ_ROUTES);
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
    for (const route of routes) await this.#serve(route);
    if (isChanged) await writeStaged(this.#snapshotFile, JSON.stringify(routes));
  }

  /** Puts the route's versions in place together, once both are loaded. */
  async #serve(route: Route): Promise<void> {
    const { model } = route;
    const before = this.#served.get(model);
    const present = await this.#load(model, route);
    if (!present) return;
    const rollout = route.trial ? await this.#rolloutOf(route.model, route.trial) : undefined;
    const experiments = await this.#experimentsOf(route);
    const areSame = JSON.stringify(outlineOf(before?.experiments)) === JSON.stringify(outlineOf(experiments));
    if (before && isSame(before, present) && isSameRollout(before.rollout, rollout) && areSame) return;
    this.#served.set(model, {
      ...present,
      ...(rollout ? { rollout } : {}),
      ...(experiments.length > 0 ? { experiments } : {}),
    });
    this.#tellServed(model, before, present, rollout);
  }

  /** An arm whose version cannot be loaded here keeps its entities: they must see the same arm in every process. */
  async #experimentsOf({ model, experiments }: Route): Promise<ActiveExperiment[]> {
    const active: ActiveExperiment[] = [];
    for (const { arms, control, ...experiment } of experiments ?? []) {
      const loaded: ActiveArm[] = [];
      for (const { arm, weight, retired, ...of } of arms) {
        const served = await this.#load(model, retired ? arms.find((other) => other.arm === control)! : of);
        loaded.push({ arm, weight, retired, ...(served ? { served } : {}) });
      }
      active.push({ ...experiment, arms: loaded });
    }
    return active;
  }

  async #rolloutOf(model: string, trial: NonNullable<Route['trial']>): Promise<ActiveRollout | undefined> {
    const candidate = await this.#load(model, trial);
    return candidate && { deploymentId: trial.deploymentId, phase: trial.phase, share: trial.share, candidate };
  }

  /** @returns undefined, with the reason in the log, for a version that cannot be loaded */
  async #load(
    model: string,
    { version, digest }: { version: string; digest: string },
  ): Promise<ServedModel | undefined> {
    const { logger, modelStoragePath } = this.context;
    const before = this.#served.get(model);
    const ofExperiments = before?.experiments?.flatMap(({ arms }) => arms.map(({ served }) => served)) ?? [];
    const known = [before, before?.rollout?.candidate, ...ofExperiments].find(
      (served) => served?.version === version && served.scorer.bundle.digest === digest,
    );
    if (known) return { model, version, scorer: known.scorer };
    try {
      const { scorer } = await loadScorer(modelStoragePath, model, digest);
      await warmUp(scorer);
      return { model, version, scorer };
    } catch (error) {
      logger.error(
        { err: error, model, version, serving: before?.version },
        'version cannot be loaded; what was served before goes on',
      );
      return undefined;
    }
  }

  #tellServed(model: string, before: ServedModel | undefined, present: ServedModel, rollout?: ActiveRollout): void {
    const { logger, metrics } = this.context;
    if (before && before.version !== present.version) metrics.servedVersion.remove(model, before.version);
    metrics.servedVersion.set({ model, version: present.version }, 1);
    const trial = rollout && { version: rollout.candidate.version, phase: rollout.phase, share: rollout.share };
    logger.info({ model, version: present.version, former: before?.version, trial }, 'version is being served');
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
}

/** What tells one set of experiments from another. */
const outlineOf = (experiments: readonly ActiveExperiment[] | undefined) =>
  (experiments ?? []).map(({ arms, ...slice }) => ({
    ...slice,
    arms: arms.map(({ arm, weight, retired, served }) => ({ arm, weight, retired, version: served?.version })),
  }));

const isSame = (one: ServedModel, other: ServedModel) => one.scorer === other.scorer && one.version === other.version;

function isSameRollout(one: ActiveRollout | undefined, other: ActiveRollout | undefined): boolean {
  if (!one || !other) return one === other;
  const { deploymentId, phase, share, candidate } = one;
  const hasSameShare = phase === other.phase && share === other.share;
  return deploymentId === other.deploymentId && hasSameShare && isSame(candidate, other.candidate);
}
