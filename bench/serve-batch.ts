/**
 * Measures batches of `user_behavior` (three heads of 100 trees) over HTTP, medians of several calls, as JSON lines: 1,000 instances of JSON,
 * 100,000 rows of Arrow; and the latency of single predictions that arrive at a steady rate, whether or not the former were answered.
 *
 * Run: node dist/bench/serve-batch.js [--repeats 7] [--seconds 10]
 */
import { parseArgs } from 'node:util';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { median } from '../ml/evaluate/median.js';
import { quantile, runOpenLoop } from './open-loop.js';
import { featuresOf } from './serve-requests.js';
import { startServedStack } from './served-stack.js';

const JSON_TYPE = 'application/json';
const ARROW_TYPE = 'application/vnd.apache.arrow.stream';
const JSON_ROWS = 1000;
const ARROW_ROWS = 100_000;
const RATES = [250, 500, 1000, 2000, 3000, 4000];

const rounded = (value: number) => Math.round(value * 100) / 100;
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** What is logged of the batches before is not on its way to the database while the next one is timed. @returns how long that took */
async function waitUntilShipped(url: string): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const metrics = await (await fetch(new URL('/metrics', url))).text();
    if (/^mlops_prediction_log_buffered_rows 0$/m.test(metrics)) return performance.now() - startMs;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function timeBatches(
  name: string,
  url: string,
  type: string,
  body: Uint8Array<ArrayBuffer>,
  rows: number,
  repeats: number,
) {
  const times: number[] = [];
  const shipped: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const startMs = performance.now();
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': type }, body });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
    // The first call finds cold code.
    if (repeat > 0) times.push(performance.now() - startMs);
    const shippedMs = await waitUntilShipped(url);
    if (repeat > 0) shipped.push(shippedMs);
  }
  const ms = quantile(
    times.sort((a, b) => a - b),
    0.5,
  );
  print({
    name: 'serve-batch',
    batch: name,
    rows,
    median_ms: rounded(ms),
    rows_per_second: Math.round((rows / ms) * 1000),
    in_the_database_after_ms: rounded(median(shipped)),
  });
}

async function timeOpenLoop(url: string, perSecond: number, seconds: number): Promise<void> {
  const latencies: number[] = [];
  let failed = 0;
  await runOpenLoop({
    url,
    seconds,
    ratePerSecond: () => perSecond,
    arrival: (row) => ({
      path: '/predict/user-behavior',
      body: JSON.stringify({ user_id: `user_${row % 500}`, features: featuresOf(row) }),
    }),
    onAnswer({ status, latencyMs }) {
      if (status === 200) latencies.push(latencyMs);
      else failed++;
    },
  });
  const sorted = latencies.sort((a, b) => a - b);
  print({
    name: 'serve-latency',
    requests_per_second: perSecond,
    p50_ms: rounded(quantile(sorted, 0.5)),
    p95_ms: rounded(quantile(sorted, 0.95)),
    p99_ms: rounded(quantile(sorted, 0.99)),
    failed,
  });
}

const { values } = parseArgs({
  options: { repeats: { type: 'string', default: '7' }, seconds: { type: 'string', default: '10' } },
});
const stack = await startServedStack();
try {
  const batchUrl = `${stack.api}/predict/user_behavior/batch`;
  const instances = Array.from({ length: JSON_ROWS }, (_, row) => ({
    user_id: `user_${row}`,
    features: featuresOf(row),
  }));
  const json = new TextEncoder().encode(JSON.stringify({ instances }));
  await timeBatches('json', batchUrl, JSON_TYPE, json, JSON_ROWS, Number(values.repeats));
  const rows = Array.from({ length: ARROW_ROWS }, (_, row) => featuresOf(row));
  const columns = Object.fromEntries(
    Object.keys(rows[0]!).map((name) => [name, Float64Array.from(rows, (row) => row[name]!)]),
  );
  const arrow = new Uint8Array(tableToIPC(tableFromArrays(columns), 'stream'));
  await timeBatches('arrow', batchUrl, ARROW_TYPE, arrow, ARROW_ROWS, Number(values.repeats));
  for (const rate of RATES) await timeOpenLoop(stack.api, rate, Number(values.seconds));
} finally {
  await stack.stop();
}
