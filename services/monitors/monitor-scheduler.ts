import type { Client } from '@temporalio/client';
import { BackgroundLoop } from '../background-loop.js';
import type { Database } from '../database/database.js';
import { withTemporal } from '../pipelines/temporal-client.js';
import type { Logger } from '../telemetry/logger.js';
import type { ModelsConfig } from '../training/models-config.js';
import { createMonitorSchedule, monitoredModelOf } from './monitor-schedule.js';
import { readMonitor } from './monitor-settings.js';

const LOOK_EVERY_MS = 60_000;

interface Dependencies {
  database: Database;
  temporal: Client;
  logger: Logger;
  readModelsConfig: () => Promise<ModelsConfig>;
}

/**
 * Keeps a schedule for each model that is watched: one that has a version deployed, or whose monitors somebody has set. Looks at its start and
 * each minute, so that a changed models file needs no restart. Several may run at once: each makes the same of it.
 */
export class MonitorScheduler {
  readonly #loop: BackgroundLoop;
  /** What each schedule was made of, so that a minute without a change asks nothing of Temporal. */
  readonly #kept = new Map<string, string>();
  #hasListed = false;

  constructor(private readonly dependencies: Dependencies) {
    this.#loop = new BackgroundLoop({
      look: () => this.#look(),
      everyMs: LOOK_EVERY_MS,
      problem: 'schedules of monitors cannot be kept at present',
      logger: dependencies.logger,
    });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #look(): Promise<void> {
    const { database, temporal, readModelsConfig } = this.dependencies;
    const { models } = await readModelsConfig();
    const routes = await database.prisma.route.findMany({ select: { model: true } });
    const served = new Set(routes.map(({ model }) => model));
    const watched = new Set<string>();
    for (const definition of models.values()) {
      const { settings, declaredIn } = await readMonitor(definition, database);
      if (!settings.enabled || (declaredIn !== 'api' && !served.has(definition.name))) continue;
      watched.add(definition.name);
      const wanted = String(settings.every_hours);
      if (this.#kept.get(definition.name) === wanted) continue;
      await createMonitorSchedule(temporal, definition.name).keep(settings);
      this.#kept.set(definition.name, wanted);
    }
    // The first look also finds those that were left by an earlier life of this process.
    const known = this.#hasListed ? [...this.#kept.keys()] : await scheduledModels(temporal);
    for (const model of known) {
      if (watched.has(model)) continue;
      await createMonitorSchedule(temporal, model).remove();
      this.#kept.delete(model);
    }
    this.#hasListed = true;
  }
}

async function scheduledModels(temporal: Client): Promise<string[]> {
  return withTemporal(temporal, async () => {
    const models: string[] = [];
    for await (const { scheduleId } of temporal.schedule.list()) {
      const model = monitoredModelOf(scheduleId);
      if (model !== undefined) models.push(model);
    }
    return models;
  });
}
