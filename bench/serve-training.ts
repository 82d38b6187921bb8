/**
 * Measures what predictions feel of training, as JSON lines: their latency at a steady rate with nothing else to do, then while a sweep
 * keeps every core busy. The load is far below what the service can do, so what is seen is the wait for a core.
 *
 * Run: node dist/bench/serve-training.js [--seconds 20] [--rate 100]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { quantile } from './open-loop.js';
import { PLAIN, requestsOf } from './serve-requests.js';
import { postJob, startServedStack } from './served-stack.js';
import { runSocketLoad } from './socket-load.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '20' }, rate: { type: 'string', default: '100' } },
});
const cores = availableParallelism();
const stack = await startServedStack({ MAX_CONCURRENT_JOBS: String(cores) });
try {
  const load = {
    url: stack.api,
    requests: requestsOf(stack.api, PLAIN),
    connections: 32,
    perSecond: Number(values.rate),
  };
  const measure = async (mode: string) => {
    const { latenciesMs, unsent } = await runSocketLoad({ ...load, seconds: Number(values.seconds) });
    const sorted = latenciesMs.toSorted((a, b) => a - b);
    const [p50, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    const rounded = (value: number) => Math.round(value * 1000) / 1000;
    const line = { name: 'serve-training', mode, cores, answers: sorted.length, unsent };
    process.stdout.write(`${JSON.stringify({ ...line, p50_ms: rounded(p50), p99_ms: rounded(p99) })}\n`);
    return p99;
  };
  await runSocketLoad({ ...load, seconds: 3 });
  const idle = await measure('idle');
  const job = await postJob(stack.api, '/models/train', {
    model_type: 'user_behavior',
    search: { trials: 1000, parallelism: 2 * cores, pruner: 'none', warm_start: false },
  });
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const { stage } = (await (await fetch(`${stack.api}/jobs/${job}/status`)).json()) as { stage: string };
  if (stage !== 'search') throw new Error(`The job is at ${stage}, so no core is kept busy by trials.`);
  const training = await measure('all cores train');
  const line = { name: 'serve-training', p99_ratio: Math.round((training / idle) * 100) / 100 };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  await fetch(`${stack.api}/jobs/${job}/cancel`, { method: 'POST' });
} finally {
  await stack.stop();
}
