import cluster, { type Worker } from 'node:cluster';
import type { Config } from '../services/config.js';
import { createLogger } from '../services/telemetry/logger.js';
import { relayQuestions } from './siblings.js';

const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 10_000;
/** Longer than a worker takes to drain. */
const PATIENCE_MS = 12_000;

/**
 * Runs several processes that answer on one port, and starts each again that dies. Connections are handed out in turn.
 * @returns the address, once all of them answer
 * @throws Error when one ends before it is ready for the first time
 */
export async function runPrimary(config: Config): Promise<string> {
  const logger = createLogger('api', config.logLevel);
  const ready = new Set<number>();
  let delayMs = FIRST_DELAY_MS;
  let isStopping = false;
  const workers = () =>
    Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => Boolean(worker?.isConnected()));
  const relay = relayQuestions(() => workers().filter(({ id }) => ready.has(id)));

  const start = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const worker = cluster.fork();
      worker.on('message', (message: { ready?: boolean; address?: string }) => {
        if (!message.ready) return relay(worker, message);
        ready.add(worker.id);
        delayMs = FIRST_DELAY_MS;
        resolve(message.address!);
      });
      worker.once('exit', (code, signal) => {
        ready.delete(worker.id);
        reject(new Error('An API process ended at its start.'));
        if (isStopping) return;
        logger.error({ worker: worker.id, how: signal ?? `code ${code}` }, 'an api process died and is started again');
        // One that ends again is told of, and started again, by this very handler.
        setTimeout(() => !isStopping && void start().catch(() => undefined), delayMs);
        delayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2);
      });
    });

  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    const left = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const gone = left.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (const worker of left) worker.process.kill('SIGTERM');
    const force = setTimeout(
      () => left.forEach((worker) => worker.process.kill('SIGKILL')),
      PATIENCE_MS + config.shutdownDelaySeconds * 1000,
    );
    await Promise.all(gone);
    clearTimeout(force);
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  process.on('disconnect', () => void stop());
  try {
    const [address] = await Promise.all(Array.from({ length: config.apiWorkers }, start));
    logger.info({ url: address, processes: config.apiWorkers }, 'all api processes are ready');
    return address!;
  } catch (error) {
    isStopping = true;
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
    throw error;
  }
}
