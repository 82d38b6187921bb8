import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { describeUnusedSettings, type Config } from './config.js';
import { openDatabase, type Database } from './database/database.js';
import { createJobStore, type JobStore } from './jobs/job-store.js';
import { createTemporalClient } from './pipelines/temporal-client.js';
import { createVersionStore, type VersionStore } from './registry/version-store.js';
import { createFailPoint, type FailPoint } from './telemetry/fail-point.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { createModelsConfigReader, type ModelsConfig } from './training/models-config.js';

/** All that the parts of the service share; made once per process and passed in. */
export interface Container {
  config: Config;
  logger: Logger;
  database: Database;
  jobs: JobStore;
  versions: VersionStore;
  temporal: Client;
  readModelsConfig: () => Promise<ModelsConfig>;
  failPoint: FailPoint;
  folders: { datasets: string; modelStaging: string };
  close(): Promise<void>;
}

export function createContainer(config: Config, component: string): Container {
  const logger = createLogger(component, config.logLevel);
  for (const line of describeUnusedSettings()) logger.warn(line);
  const database = openDatabase(config.databaseUrl, (error) =>
    logger.debug({ err: error }, 'an idle database connection ended'),
  );
  const temporal = createTemporalClient(config.temporal);
  return {
    config,
    logger,
    database,
    jobs: createJobStore(database),
    versions: createVersionStore(database),
    temporal,
    readModelsConfig: createModelsConfigReader(config.modelsConfigPath),
    failPoint: createFailPoint(config.failPoint, config.stateDir),
    folders: {
      datasets: join(config.dataStoragePath, 'datasets'),
      modelStaging: join(config.modelStoragePath, '.staging'),
    },
    async close() {
      await database.close();
      await temporal.connection.close();
    },
  };
}
