import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { OwnCredentials } from './auth/own-credentials.js';
import type { Config } from './config.js';
import { openDatabase, type Database } from './database/database.js';
import { useFileKeys } from './encryption/file-keys.js';
import { RedisFeatures } from './features/redis-features.js';
import { createViewStore, type ViewStore } from './features/view-store.js';
import { createJobLog, type JobLog } from './jobs/job-log.js';
import { JobLogWriter } from './jobs/job-log-writer.js';
import { createJobStore, type EndedJob, type JobStore } from './jobs/job-store.js';
import { createApiFetch } from './network/api-fetch.js';
import type { RedisAddress } from './network/redis-client.js';
import { createTemporalClient } from './pipelines/temporal-client.js';
import { createVersionStore, type VersionStore } from './registry/version-store.js';
import { useSharedFiles } from './storage/shared-files.js';
import { createFailPoint, type FailPoint } from './telemetry/fail-point.js';
import { LogLevelSwitch } from './telemetry/log-level.js';
import { clearScratchFolders } from './storage/scratch-folder.js';
import { usePseudonyms } from './telemetry/redact.js';
import { createLogger, type Logger } from './telemetry/logger.js';
import { StepCache } from './training/step-cache.js';
import { createModelsConfigReader, type ModelsConfig } from './training/models-config.js';

/** All that the parts of the service share; made once per process and passed in. */
export interface Container {
  config: Config;
  logger: Logger;
  logLevel: LogLevelSwitch;
  database: Database;
  jobs: JobStore;
  /** What jobs have logged; what this process logs of them gets there by itself. */
  jobLog: JobLog;
  versions: VersionStore;
  featureViews: ViewStore;
  /** Where REDIS_URL is set. */
  redisAddress: RedisAddress | undefined;
  /** Where REDIS_URL is set. */
  redisFeatures: RedisFeatures | undefined;
  temporal: Client;
  readModelsConfig: () => Promise<ModelsConfig>;
  failPoint: FailPoint;
  /** How this process reaches the API. */
  apiFetch: typeof fetch;
  /** How it signs in there. */
  credentials: OwnCredentials;
  /** Tables of earlier trainings, for the next ones of the same rows. */
  stepCache: StepCache;
  folders: { datasets: string; modelStaging: string };
  close(): Promise<void>;
}

/** @param told of each job whose end this process writes down */
export function createContainer(
  config: Config,
  component: string,
  told: { onJobEnd?: (ended: EndedJob, status: string) => void } = {},
): Container {
  useFileKeys(config.temporal.encryptionKeys);
  useSharedFiles(config.sharedRoots, config.sources.s3);
  usePseudonyms(config.temporal.encryptionKeys);
  const database = openDatabase(config.databaseUrl, (error) =>
    logger.debug({ err: error }, 'an idle database connection ended'),
  );
  const jobLog = createJobLog(database);
  const jobLogWriter = new JobLogWriter({ jobLog, logger: () => logger });
  const logger = createLogger(component, config.logLevel, jobLogWriter.take);
  const logLevel = new LogLevelSwitch({ stateDir: config.stateDir, configured: config.logLevel, logger });
  logLevel.start();
  clearScratchFolders().catch((error: unknown) =>
    logger.warn({ err: error }, 'temporary files of ended processes stay'),
  );
  const temporal = createTemporalClient(config.temporal);
  const readModelsConfig = createModelsConfigReader(config.modelsConfigPath);
  const redisAddress = config.redisUrl === undefined ? undefined : { url: config.redisUrl, tls: config.tls.redis };
  const redisFeatures = redisAddress && new RedisFeatures({ redis: redisAddress, logger });
  return {
    config,
    logger,
    logLevel,
    database,
    jobs: createJobStore(database, told.onJobEnd),
    jobLog,
    versions: createVersionStore(database),
    featureViews: createViewStore({ database, readModelsConfig }),
    redisAddress,
    redisFeatures,
    temporal,
    apiFetch: createApiFetch(config.tls.apiClient),
    readModelsConfig,
    credentials: new OwnCredentials(database, config.auth !== undefined),
    failPoint: createFailPoint(config.failPoint, config.stateDir),
    stepCache: new StepCache({
      folder: join(config.modelStoragePath, '.step-cache'),
      ...config.stepCache,
      logger,
    }),
    folders: {
      datasets: join(config.dataStoragePath, 'datasets'),
      modelStaging: join(config.modelStoragePath, '.staging'),
    },
    async close() {
      logLevel.stop();
      redisFeatures?.close();
      await jobLogWriter.flush();
      await database.close();
      await temporal.connection.close();
    },
  };
}
