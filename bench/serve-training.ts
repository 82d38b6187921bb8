/**
 * Measures what predictions feel of training, as JSON lines: their latency at a steady rate while nothing else runs, and while a sweep
 * keeps every core busy, in turn, so that what else the machine does falls on both sides alike. The load is far below what the service can
 * do: what is seen is the wait for a core. Takes about two minutes.
 *
 * Run: node dist/bench/serve-training.js [--seconds 12] [--rate 100] [--turns 3] [--write]
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../ml/evaluate/median.js';
import { quantile } from './open-loop.js';
import { PLAIN, requestsOf } from './serve-requests.js';
import { postJob, startServedStack } from './served-stack.js';
import { runSocketLoad } from './socket-load.js';
import { writeFigures } from './write-figures.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '12' },
    rate: { type: 'string', default: '100' },
    turns: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
});
/** Forests that are fitted in a second or a few, so that a pause has an end. */
const SPACE = {
  n_estimators: { type: 'int', low: 20, high: 30 },
  max_depth: { type: 'int', low: 4, high: 8 },
};
const SEARCH_WITHIN_MS = 120_000;
const cores = availableParallelism();
const seconds = Number(values.seconds);
const stack = await startServedStack({ MAX_CONCURRENT_JOBS: String(cores) });
const load = {
  url: stack.api,
  requests: requestsOf(stack.api, PLAIN),
  connections: 32,
  perSecond: Number(values.rate),
};

const print = (line: object) => process.stdout.write(`${JSON.stringify({ name: 'serve-training', ...line })}\n`);
const rounded = (value: number) => Math.round(value * 100) / 100;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Sweep {
  state: string;
  counts: Record<string, number>;
}

async function sweepOf(job: string): Promise<Sweep | undefined> {
  const answer = await fetch(`${stack.api}/sweeps/sweep-${job}`);
  return answer.ok ? ((await answer.json()) as Sweep) : undefined;
}

/** Until the sweep is as wanted. @throws Error where it is not in time, with how it stands */
async function waitFor(job: string, wanted: string, isSo: (sweep: Sweep) => boolean): Promise<void> {
  const untilMs = performance.now() + SEARCH_WITHIN_MS;
  for (;;) {
    const sweep = await sweepOf(job);
    if (sweep && isSo(sweep)) return;
    if (performance.now() > untilMs)
      throw new Error(`The sweep is not ${wanted} after ${SEARCH_WITHIN_MS / 1000} s: ${JSON.stringify(sweep)}`);
    await sleep(200);
  }
}

async function tell(job: string, action: 'pause' | 'resume'): Promise<void> {
  const answer = await fetch(`${stack.api}/sweeps/sweep-${job}/${action}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`${action}: ${answer.status} ${await answer.text()}`);
}

const busyMs = () => cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

interface Measured {
  p50: number;
  p99: number;
  busyCores: number;
}

async function measure(mode: string): Promise<Measured> {
  const before = { ms: performance.now(), busy: busyMs() };
  const { latenciesMs, unsent } = await runSocketLoad({ ...load, seconds });
  const busyCores = (busyMs() - before.busy) / (performance.now() - before.ms);
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const found = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), busyCores };
  const { p50, p99 } = found;
  print({
    mode,
    cores,
    answers: sorted.length,
    unsent,
    p50_ms: rounded(p50),
    p99_ms: rounded(p99),
    busy_cores: rounded(busyCores),
  });
  return found;
}

const middle = (all: readonly Measured[], of: keyof Measured) => rounded(median(all.map((one) => one[of])));

try {
  await runSocketLoad({ ...load, seconds: 3 });
  const job = await postJob(stack.api, '/models/train', {
    model_type: 'user_behavior',
    search: {
      trials: 10_000,
      parallelism: 2 * cores,
      pruner: 'none',
      sampler: 'random',
      warm_start: false,
      space: SPACE,
    },
  });
  const isBusy = ({ counts }: Sweep) => (counts['running'] ?? 0) >= cores && (counts['completed'] ?? 0) >= 1;
  const isQuiet = ({ counts }: Sweep) => (counts['running'] ?? 0) === 0;
  const modes = { quiet: [] as Measured[], training: [] as Measured[] };
  for (let turn = 0; turn < Number(values.turns); turn++) {
    if (turn > 0) await tell(job, 'resume');
    await waitFor(job, 'training on every core', isBusy);
    modes.training.push(await measure('all cores train'));
    await tell(job, 'pause');
    await waitFor(job, 'paused', isQuiet);
    modes.quiet.push(await measure('idle'));
  }
  const table = Object.entries({ 'nothing else': modes.quiet, 'training on every core': modes.training });
  const ratio = rounded(middle(modes.training, 'p99') / middle(modes.quiet, 'p99'));
  print({ p99_ratio: ratio, p50_ratio: rounded(middle(modes.training, 'p50') / middle(modes.quiet, 'p50')) });
  if (values.write)
    writeFigures('docs/reference/benchmarks.md', 'serve-training', [
      ['beside the predictions', 'median, ms', 'p99, ms', 'busy cores'],
      ...table.map(([mode, all]) => [mode, middle(all, 'p50'), middle(all, 'p99'), middle(all, 'busyCores')]),
      [`the p99 while training, times the other: ${ratio}`, '', '', ''],
    ]);
  await fetch(`${stack.api}/jobs/${job}/cancel`, { method: 'POST' });
} finally {
  await stack.stop();
}
