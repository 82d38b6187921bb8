import cluster from 'node:cluster';
import { loadConfig } from '../services/config.js';
import { runPrimary } from './primary.js';
import { serve } from './serve.js';
import { listenToPrimary } from './siblings.js';

async function main(): Promise<string> {
  const config = loadConfig();
  if (cluster.isPrimary && config.apiWorkers > 1) return runPrimary(config);
  if (cluster.isWorker) listenToPrimary();
  return serve(config);
}

try {
  const address = await main();
  // There is somebody to tell only where a supervisor has started this.
  process.send?.({ ready: true, address });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
