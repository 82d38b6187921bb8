/**
 * Measures how much faster a sweep is on several training workers, as JSON lines: one trial at a time on each worker, as many trials side
 * by side as there are workers at most, and the same table of trials each time.
 *
 * Run: node dist/bench/sweep-workers.js [--workers 1,2,4] [--trials 40] [--rows 4000]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { compiledScript } from '../services/project-root.js';
import { runSweep, startSweepStack, type SweepStack } from './sweep-stack.js';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '1,2,4' },
    trials: { type: 'string', default: '40' },
    rows: { type: 'string', default: '4000' },
  },
});
const counts = values.workers.split(',').map(Number);

/** Another training worker beside that of the stack. */
async function addWorker({ stack, env }: SweepStack): Promise<ChildProcess> {
  const worker = fork(compiledScript('workers/training-worker.js'), {
    env: {
      ...process.env,
      ...env,
      STATE_DIR: stack.stateDir,
      DATABASE_URL: stack.addresses.databaseUrl,
      TEMPORAL_ADDRESS: stack.addresses.temporal,
      LOG_LEVEL: 'WARN',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('exit', reject));
  return worker;
}

let alone: number | undefined;
for (const count of counts) {
  // A stack of its own: what an earlier sweep has measured would be taken over.
  const service = await startSweepStack(Number(values.rows), { MAX_CONCURRENT_JOBS: '1' });
  const workers = await Promise.all(Array.from({ length: count - 1 }, () => addWorker(service)));
  try {
    const { wallSeconds, trialSeconds, trials } = await runSweep(service.stack.api, {
      trials: Number(values.trials),
      parallelism: Math.max(...counts),
      seed: 3,
      pruner: 'none',
      space: {
        algorithm: { type: 'categorical', choices: ['gradient_boosting'] },
        learning_rate: { type: 'float', low: 0.02, high: 0.1, log: true },
        max_leaf_nodes: { type: 'int', low: 4, high: 64, log: true },
      },
    });
    alone ??= wallSeconds;
    const line = {
      name: 'sweep-workers',
      cores: availableParallelism(),
      workers: count,
      trials,
      wall_seconds: Math.round(wallSeconds * 10) / 10,
      trial_seconds: Math.round(trialSeconds * 10) / 10,
      gain: Math.round((alone / wallSeconds) * 100) / 100,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  } finally {
    for (const worker of workers) worker.kill('SIGTERM');
    await service.stop();
  }
}
