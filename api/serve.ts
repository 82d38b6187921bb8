import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuditLog } from '../services/audit/audit-log.js';
import { DeniedCalls } from '../services/audit/denied-calls.js';
import { readAuditHead } from '../services/audit/verify-audit.js';
import { Authenticator } from '../services/auth/authenticator.js';
import { createTokenStore, noteTokenUse } from '../services/auth/token-store.js';
import { TokenTable } from '../services/auth/token-table.js';
import type { Config } from '../services/config.js';
import { createAlertStore } from '../services/alerts/alert-store.js';
import { createRuleCatalogue } from '../services/alerts/rule-catalogue.js';
import { createSilenceStore } from '../services/alerts/silence-store.js';
import { BackgroundLoop } from '../services/background-loop.js';
import { createContainer } from '../services/container.js';
import { createDatasetStore } from '../services/datasets/dataset-store.js';
import { createDrillStore, noteDrills } from '../services/drills/drill-store.js';
import { EventIntake } from '../services/events/event-intake.js';
import { createEventStore } from '../services/events/event-store.js';
import { createSweepStore } from '../services/search/sweep-store.js';
import { createExperimentStore } from '../services/experiments/experiment-store.js';
import { createDeploymentStore } from '../services/deployments/deployment-store.js';
import { OnlineFeatures } from '../services/features/online-features.js';
import { OnlineStore } from '../services/features/online-store.js';
import { createViewCatalogue } from '../services/features/view-catalogue.js';
import { ViewRegistry } from '../services/features/view-registry.js';
import { createErasureStore } from '../services/erasure/erasure-store.js';
import { HealthMonitor } from '../services/health/health-monitor.js';
import { createLineageReader } from '../services/lineage/read-lineage.js';
import { createFreezeStore } from '../services/freezes/freeze-store.js';
import { SharedCounts } from '../services/limits/shared-counts.js';
import { reconcileJobs } from '../services/pipelines/reconcile-jobs.js';
import { BatchTurns } from '../services/serving/batch-turns.js';
import { OutcomeRecorder } from '../services/serving/outcome-recorder.js';
import { createPredictor } from '../services/serving/predict.js';
import { PredictionCache } from '../services/serving/prediction-cache.js';
import { PredictionLog } from '../services/serving/prediction-log.js';
import { createPredictionStore } from '../services/serving/prediction-store.js';
import { RedisCache } from '../services/serving/redis-cache.js';
import { RoutingTable } from '../services/serving/routing-table.js';
import { createRepairStore } from '../services/repair/repair-store.js';
import { createWatermarkStore } from '../services/sources/watermark-store.js';
import { createUploadStore } from '../services/uploads/upload-store.js';
import { forgetRows } from '../services/retention/expired-rows.js';
import { createRunStore } from '../services/tracking/run-store.js';
import { createWebhookStore } from '../services/webhooks/webhook-store.js';
import { InventoryMetrics } from '../services/telemetry/inventory-metrics.js';
import { createMetrics, type Metrics } from '../services/telemetry/metrics.js';
import { startTracing, stopTracing } from '../services/telemetry/tracing.js';
import { Admission } from './admission.js';
import { answerForThisProcess, lastErrorsOfAll, spoolsOfAll } from './all-processes.js';
import { createApiServer } from './api-server.js';
import { createApp } from './app.js';
import { createFastPredict } from './fast-predict.js';
import { startInferenceServer } from './grpc/inference-server.js';
import type { ApiContext } from './http-context.js';
import { limitBodyTime } from './limit-body-time.js';
import { RateLimiter, refuseUnknownRoutes } from './rate-limiter.js';
import { ALL_ROUTES } from './routes/index-of-routes.js';
import { createSharedCopies } from '../services/storage/shared-copies.js';

const RECONCILE_EVERY_MS = 10_000;
const RETAIN_EVERY_MS = 3_600_000;
/** In-flight requests get this long on SIGTERM. */
const DRAIN_MS = 10_000;
/** And work beside the answers this long; what is not done by then is done by the next process. */
const STOP_WITHIN_MS = 2000;

async function createContext(config: Config, isAccepting: () => boolean): Promise<ApiContext> {
  await startTracing(config.traceEndpoint, 'api');
  const metrics = createMetrics();
  const container = createContainer(config, 'api', metrics);
  refuseUnknownRoutes(config.routeRates, ALL_ROUTES);
  // A bad entry stops the start, with its line.
  await container.readModelsConfig();
  const { stateDir, modelStoragePath } = config;
  const routing = new RoutingTable({
    ...container,
    databaseUrl: config.databaseUrl,
    modelStoragePath,
    stateDir,
    metrics,
  });
  const spooling = { stateDir, spoolMegabytes: config.predictionSpoolMegabytes, logger: container.logger, metrics };
  const predictionStore = createPredictionStore(container.database);
  const predictionLog = new PredictionLog({ ...spooling, store: predictionStore });
  const ttlSeconds = config.predictionCacheTtlSeconds;
  const shared =
    container.redisAddress !== undefined && ttlSeconds > 0
      ? new RedisCache({
          redis: container.redisAddress,
          ttlSeconds,
          logger: container.logger,
          onChange: (isUp) => metrics.sharedCacheUp.set(isUp ? 1 : 0),
        })
      : undefined;
  const { database, featureViews: views, redisFeatures: redis } = container;
  const onlineFeatures = new OnlineFeatures(
    new ViewRegistry({ database, views }),
    new OnlineStore({ pool: database.pool, redis }),
  );
  const cache = new PredictionCache({ ttlSeconds, shared, metrics });
  const predict = createPredictor({
    routing,
    onlineFeatures,
    versions: container.versions,
    cache,
    log: predictionLog,
    metrics,
    modelStoragePath,
  });
  const batchTurns = new BatchTurns(config.maxRequestWaitMs);
  const outcomes = new OutcomeRecorder({ ...spooling, database: container.database, log: predictionLog });
  const events = new EventIntake({
    stateDir,
    spoolBytes: config.sources.eventSpoolBytes,
    store: createEventStore(database),
    logger: container.logger,
    metrics,
  });
  const forget = async () => ({
    waiting: (await predictionLog.forget()) + (await outcomes.forget()) + (await events.forget()),
    forgotten: cache.clear(),
  });
  const { logger } = container;
  const isLimited = config.rateLimit > 0 || config.routeRates.size > 0;
  const sharedCounts =
    container.redisAddress !== undefined && isLimited
      ? new SharedCounts({ redis: container.redisAddress, logger })
      : undefined;
  const noteUse = (ids: readonly string[]) => noteTokenUse(database, ids);
  const audit = createAuditLog(database);
  const tokenTable = new TokenTable({ database, databaseUrl: config.databaseUrl, logger, noteUse });
  const health = new HealthMonitor({ ...container, redis: shared, routing, lastErrorsOfAll, spoolsOfAll });
  answerForThisProcess({
    registry: metrics.registry,
    routing,
    forget,
    flushEvents: () => events.forget(),
    spools: () => ({ predictions: predictionLog.spooled, outcomes: outcomes.spooled, events: events.spooled }),
    health,
    logLevel: container.logLevel,
  });
  return {
    ...container,
    metrics,
    inventory: new InventoryMetrics({ database, checkHealth: () => health.check() }),
    health,
    authenticator: config.auth && new Authenticator({ settings: config.auth, tokens: tokenTable, logger }),
    tokens: createTokenStore(database),
    tokenTable,
    audit,
    deniedCalls: new DeniedCalls({ audit, logger }),
    sharedCounts,
    routing,
    predictionStore,
    predictionLog,
    predict,
    redis: shared,
    outcomes,
    batchTurns,
    admission: new Admission({
      maxWaitMs: config.maxRequestWaitMs,
      rates: new RateLimiter({
        rateLimit: config.rateLimit,
        routeRates: config.routeRates,
        processes: config.apiWorkers,
        shared: sharedCounts,
      }),
      batchTurns,
      metrics,
    }),
    datasets: createDatasetStore(container.database, container.folders.datasets),
    events,
    uploads: createUploadStore(container.database, config),
    watermarks: createWatermarkStore(container.database),
    deployments: createDeploymentStore(container.database),
    freezes: createFreezeStore(container.database),
    experiments: createExperimentStore(container.database),
    drills: createDrillStore(container.database),
    sweeps: createSweepStore(container.database),
    webhooks: createWebhookStore(container.database),
    repairs: createRepairStore(container.database),
    alerts: createAlertStore(container.database),
    alertRules: createRuleCatalogue(container),
    silences: createSilenceStore(container.database),
    lineage: createLineageReader(database, {
      versions: container.versions,
      datasetsFolder: container.folders.datasets,
    }),
    erasures: createErasureStore(database),
    viewCatalogue: createViewCatalogue({ database, views }),
    onlineFeatures,
    runs: createRunStore(container.database),
    isAccepting,
  };
}

/** Idle connections are closed no more often than this to make room. */
const MAKE_ROOM_EVERY_MS = 1000;

/**
 * Turns connections away beyond a count. Who has one is then answered in time: requests that wait for their turn in a socket cost
 * nothing, while one that is read and refused costs half of one that is answered.
 */
function limitConnections(server: Server, most: number, metrics: Metrics): void {
  if (most === 0) return;
  server.maxConnections = most;
  let madeRoomMs = -Infinity;
  server.on('drop', () => {
    metrics.requestsRefused.inc({ reason: 'connections' });
    const nowMs = performance.now();
    if (nowMs - madeRoomMs < MAKE_ROOM_EVERY_MS) return;
    madeRoomMs = nowMs;
    server.closeIdleConnections();
  });
}

function listen(server: Server, { host, port }: Config): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} on ${host} is taken. Stop the program that has it, or choose another with PORT.`)
          : error,
      );
    });
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

/** Lets go of what is older than it has to be kept. */
async function applyRetention({
  config,
  database,
  jobLog,
  logger,
  predictionStore,
  readModelsConfig,
  uploads,
}: ApiContext): Promise<void> {
  // Outside of the database it tells even a log that was written anew as a whole.
  logger.info({ audit_head: await readAuditHead(database) }, 'head of the audit log');
  const now = new Date();
  await predictionStore.applyRetention(config.predictionRetentionDays, now);
  await uploads.removeExpired(now);
  await jobLog.removeOlder(config.jobLogDays);
  await createEventStore(database).applyRetention(config.sources.eventRetentionDays, now);
  await forgetRows(database, (await readModelsConfig()).retention.records, now);
}

/** What the process does besides answering. */
function workBeside(context: ApiContext): BackgroundLoop[] {
  const { logger } = context;
  const reconcile = async () => {
    await reconcileJobs(context);
    await noteDrills(context.database, context.metrics);
  };
  return [
    new BackgroundLoop({
      look: reconcile,
      everyMs: RECONCILE_EVERY_MS,
      problem: 'jobs cannot be looked at at present',
      stopWithinMs: STOP_WITHIN_MS,
      logger,
    }),
    new BackgroundLoop({
      look: () => applyRetention(context),
      everyMs: RETAIN_EVERY_MS,
      problem: 'what is old cannot be let go of at present',
      stopWithinMs: STOP_WITHIN_MS,
      logger,
    }),
    ...createSharedCopies(logger),
  ];
}

/**
 * Answers requests until SIGTERM, SIGINT, or the end of the process that has started this one.
 * @returns the address
 */
export async function serve(config: Config): Promise<string> {
  let isAccepting = true;
  const context = await createContext(config, () => isAccepting);
  const { logger, predictionLog } = context;
  await context.routing.start();
  if (config.auth) await context.tokenTable.start();
  const server = createApiServer(config.tls.server, createFastPredict(context, createApp(context)), logger);
  limitBodyTime(server, config.uploads.pace);
  limitConnections(server, config.maxConnections, context.metrics);
  const { address, port } = await listen(server, config);
  const stopGrpc = config.grpcPort > 0 ? await startInferenceServer(context, config) : undefined;
  const beside = workBeside(context);
  beside.forEach((one) => one.start());

  const stop = async (reason: string) => {
    if (!isAccepting) return;
    isAccepting = false;
    logger.info({ reason, delay_seconds: config.shutdownDelaySeconds }, 'api drains');
    const stopped = Promise.all(beside.map((one) => one.stop()));
    await sleep(config.shutdownDelaySeconds * 1000);
    const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.closeIdleConnections();
    await new Promise((resolve) => server.close(resolve));
    clearTimeout(force);
    await stopGrpc?.();
    await context.outcomes.stop();
    await predictionLog.stop();
    await context.events.stop();
    await context.routing.stop();
    if (config.auth) await context.tokenTable.stop();
    await context.deniedCalls.stop();
    context.redis?.close();
    context.sharedCounts?.close();
    await context.onlineFeatures.close();
    await stopped;
    await stopTracing();
    await context.close().catch((error: unknown) => logger.debug({ err: error }, 'closing connections failed'));
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  // The stack that started this process is gone, so nobody would ever stop it.
  process.on('disconnect', () => void stop('the supervisor is gone'));
  const url = `${config.tls.server ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
  logger.info({ url }, 'api is ready');
  return url;
}
