/**
 * Measures what a second process gains (`API_WORKERS` 1 and 2), in answers a second to 32 callers that wait for each answer, as JSON lines:
 * plain requests, and batches of 50, whose driver costs little. The driver takes a part of the cores, too: on two cores the gain of
 * a second process is at most what the driver leaves. So the answers in a processor second of the API are told, too: where two processes give as
 * many of them as one, a second core doubles what is answered.
 *
 * Run: node dist/bench/serve-cores.js [--seconds 2.5] [--repeats 3]     about two minutes
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../ml/evaluate/median.js';
import { cpuSecondsOfTree } from './capacity/process-usage.js';
import { startServedStack } from './served-stack.js';
import { BATCH_OF_50, PLAIN, requestsOf } from './serve-requests.js';
import { runSocketLoad } from './socket-load.js';

const CALLERS = 32;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '2.5' }, repeats: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);
const rates = new Map<string, number>();
const driverShares = new Map<string, number>();
const perCpuSecond = new Map<string, number>();
for (const workers of ['1', '2']) {
  const stack = await startServedStack({ API_WORKERS: workers });
  try {
    for (const kind of [PLAIN, BATCH_OF_50]) {
      const load = { url: stack.api, requests: requestsOf(stack.api, kind), connections: CALLERS };
      await runSocketLoad({ ...load, seconds: 1 });
      const runs: { rate: number; driver: number; perCpu: number }[] = [];
      for (let repeat = 0; repeat < Number(values.repeats); repeat++) {
        const before = cpuSecondsOfTree(stack.pid('api')!);
        const cpu = process.cpuUsage();
        const { latenciesMs } = await runSocketLoad({ ...load, seconds });
        const used = process.cpuUsage(cpu);
        runs.push({
          rate: latenciesMs.length / seconds,
          driver: (used.user + used.system) / 1e6 / seconds,
          perCpu: latenciesMs.length / (cpuSecondsOfTree(stack.pid('api')!) - before),
        });
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
      rates.set(`${kind.name} ${workers}`, median(runs.map(({ rate }) => rate)));
      perCpuSecond.set(`${kind.name} ${workers}`, median(runs.map(({ perCpu }) => perCpu)));
      driverShares.set(`${kind.name} ${workers}`, median(runs.map(({ driver }) => driver)));
    }
  } finally {
    await stack.stop();
  }
}
const rounded = (value: number) => Math.round(value * 100) / 100;
for (const { name } of [PLAIN, BATCH_OF_50]) {
  const [one, two] = [rates.get(`${name} 1`)!, rates.get(`${name} 2`)!];
  const line = {
    name: 'serve-cores',
    requests: name,
    cores: availableParallelism(),
    one_process_per_second: Math.round(one),
    two_processes_per_second: Math.round(two),
    gain: rounded(two / one),
    per_processor_second: [1, 2].map((workers) => Math.round(perCpuSecond.get(`${name} ${workers}`)!)),
    gain_per_processor_second: rounded(perCpuSecond.get(`${name} 2`)! / perCpuSecond.get(`${name} 1`)!),
    driver_cores: [rounded(driverShares.get(`${name} 1`)!), rounded(driverShares.get(`${name} 2`)!)],
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
