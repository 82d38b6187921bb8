import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadConfig, type Config } from '../services/config.js';
import { createContainer } from '../services/container.js';
import { createDatasetStore } from '../services/datasets/dataset-store.js';
import { createDeploymentStore } from '../services/deployments/deployment-store.js';
import { reconcileJobs } from '../services/pipelines/reconcile-jobs.js';
import { PredictionCache } from '../services/serving/prediction-cache.js';
import { PredictionLog } from '../services/serving/prediction-log.js';
import { createPredictor } from '../services/serving/predict.js';
import { RoutingTable } from '../services/serving/routing-table.js';
import { createMetrics } from '../services/telemetry/metrics.js';
import { createApp } from './app.js';
import { startInferenceServer } from './grpc/inference-server.js';
import type { ApiContext } from './http-context.js';

const RECONCILE_EVERY_MS = 10_000;
/** In-flight requests get this long on SIGTERM. */
const DRAIN_MS = 10_000;

async function createContext(config: Config, isAccepting: () => boolean): Promise<ApiContext> {
  const container = createContainer(config, 'api');
  // A bad entry stops the start, with its line.
  await container.readModelsConfig();
  const metrics = createMetrics();
  const routing = new RoutingTable({
    ...container,
    databaseUrl: config.databaseUrl,
    modelStoragePath: config.modelStoragePath,
    stateDir: config.stateDir,
    metrics,
  });
  const predictionLog = new PredictionLog({ ...container, metrics });
  const cache = new PredictionCache(config.predictionCacheTtlSeconds);
  const predict = createPredictor({
    routing,
    versions: container.versions,
    cache,
    log: predictionLog,
    metrics,
    modelStoragePath: config.modelStoragePath,
  });
  const datasets = createDatasetStore(container.database, container.folders.datasets);
  return {
    ...container,
    metrics,
    routing,
    predictionLog,
    predict,
    datasets,
    deployments: createDeploymentStore(container.database),
    isAccepting,
  };
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

async function main(): Promise<void> {
  let isAccepting = true;
  const config = loadConfig();
  const context = await createContext(config, () => isAccepting);
  const { logger } = context;
  await context.routing.start();
  const server = createServer(
    { requestTimeout: 60_000, headersTimeout: 10_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5000 },
    createApp(context),
  );
  const { address, port } = await listen(server, config);
  const stopGrpc = config.grpcPort > 0 ? await startInferenceServer(context, config.host, config.grpcPort) : undefined;
  const reconcile = setInterval(() => {
    reconcileJobs(context).catch((error: unknown) =>
      logger.debug({ err: error }, 'jobs cannot be reconciled at present'),
    );
  }, RECONCILE_EVERY_MS);

  const stop = (reason: string) => async () => {
    if (!isAccepting) return;
    isAccepting = false;
    logger.info({ reason }, 'api drains');
    clearInterval(reconcile);
    const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.closeIdleConnections();
    await new Promise((resolve) => server.close(resolve));
    clearTimeout(force);
    await stopGrpc?.();
    await context.predictionLog.stop();
    await context.routing.stop();
    await context.close().catch((error: unknown) => logger.debug({ err: error }, 'closing connections failed'));
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM')());
  process.on('SIGINT', () => void stop('SIGINT')());
  // The stack that started this process is gone, so nobody would ever stop it.
  process.on('disconnect', () => void stop('the supervisor is gone')());
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  logger.info({ url }, 'api is ready');
  process.send?.({ ready: true, address: url });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
