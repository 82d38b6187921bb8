/**
 * Measures what one process answers in time when it is asked for twice what it can do, as a share of its peak. The peak is the same
 * requests from 32 callers that wait for each answer. In time: 200 within a second of when the request was sent. Medians of the runs as JSON lines.
 * The same share per processor second of the API says what the service did with its time, where the driver or others take a part of the cores.
 *
 * Run: node dist/bench/serve-overload.js [--seconds 4] [--repeats 2]     about two and a half minutes
 */
import { parseArgs } from 'node:util';
import { median } from '../ml/evaluate/median.js';
import { cpuSecondsOfTree } from './capacity/process-usage.js';
import { quantile } from './open-loop.js';
import { startServedStack } from './served-stack.js';
import { BATCH_OF_50, PLAIN, requestsOf } from './serve-requests.js';
import { runSocketLoad, type SocketLoad } from './socket-load.js';

const CALLERS = 32;
/** Connections of the overload: those of a load balancer, which then queues, and so many that the queue is here. */
const CONNECTIONS = [1000, 8000];
const IN_TIME_MS = 1000;
const rounded = (value: number) => Math.round(value * 1000) / 1000;
const inTime = ({ latenciesMs }: SocketLoad, seconds: number) =>
  latenciesMs.filter((ms) => ms <= IN_TIME_MS).length / seconds;

interface Run {
  peak: number;
  /** Of what it answers in time in a processor second of its own at the peak. */
  shareOfCpu: number;
  goodput: number;
  refused: number;
  unsent: number;
  lost: number;
  p99: number;
}

interface Load {
  url: string;
  requests: Buffer[];
  seconds: number;
  /** Of the API. */
  pid: number;
}

/** @returns what came back, and what was answered in time a processor second of the API */
async function runMeasured({ pid, ...load }: Load, more: { connections: number; perSecond?: number }) {
  const before = cpuSecondsOfTree(pid);
  const result = await runSocketLoad({ ...load, ...more });
  const answered = inTime(result, load.seconds) * load.seconds;
  return { result, perCpuSecond: answered / (cpuSecondsOfTree(pid) - before) };
}

async function measure(load: Load, connections: number): Promise<Run> {
  const { seconds } = load;
  const atPeak = await runMeasured(load, { connections: CALLERS });
  const peak = inTime(atPeak.result, seconds);
  const { result: over, perCpuSecond } = await runMeasured(load, { connections, perSecond: 2 * peak });
  // What was logged is on its way to the database for a while.
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const sorted = over.latenciesMs.sort((a, b) => a - b);
  return {
    peak,
    shareOfCpu: perCpuSecond / atPeak.perCpuSecond,
    goodput: inTime(over, seconds),
    refused: (over.statuses.get(429) ?? 0) / seconds,
    unsent: over.unsent / seconds,
    lost: over.statuses.get(0) ?? 0,
    p99: quantile(sorted, 0.99),
  };
}

function print(requests: string, connections: number, runs: readonly Run[]): void {
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  const line = {
    name: 'serve-overload',
    requests,
    connections,
    peak_per_second: Math.round(of(({ peak }) => peak)),
    in_time_per_second_at_twice: Math.round(of(({ goodput }) => goodput)),
    share_of_peak: rounded(of(({ goodput, peak }) => goodput / peak)),
    share_per_processor_second: rounded(of(({ shareOfCpu }) => shareOfCpu)),
    refused_per_second: Math.round(of(({ refused }) => refused)),
    unsent_per_second: Math.round(of(({ unsent }) => unsent)),
    p99_ms: Math.round(of(({ p99 }) => p99)),
    connections_lost: of(({ lost }) => lost),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, repeats: { type: 'string', default: '2' } },
});
const seconds = Number(values.seconds);
const stack = await startServedStack({ API_WORKERS: '1' });
try {
  for (const kind of [PLAIN, BATCH_OF_50]) {
    const requests = requestsOf(stack.api, kind);
    const load = { url: stack.api, requests, seconds, pid: stack.pid('api')! };
    await runSocketLoad({ url: stack.api, requests, connections: CALLERS, seconds: 2 });
    for (const connections of CONNECTIONS) {
      const runs: Run[] = [];
      for (let repeat = 0; repeat < Number(values.repeats); repeat++) runs.push(await measure(load, connections));
      print(kind.name, connections, runs);
    }
  }
} finally {
  await stack.stop();
}
