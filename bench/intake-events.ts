import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestStack } from '../infra/local/test-stack.js';
import { writeFigures } from './write-figures.js';

// Events a second with durable acknowledgement over HTTP, beside a program that appends the same bytes to a file and forces each request of them to the disk.
// npm run bench:intake -- --events 200000 --lines 500 --connections 4 [--write]
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '200000' },
    lines: { type: 'string', default: '500' },
    connections: { type: 'string', default: '4' },
    write: { type: 'boolean', default: false },
  },
});
const events = Number(values.events);
const lines = Number(values.lines);
const connections = Number(values.connections);

function bodyOf(start: number, count: number): string {
  let body = '';
  for (let at = start; at < start + count; at++)
    body += `{"event_id":"e-${at}","user_id":"user_${at % 5000}","event_type":"code_review","timestamp":"2026-11-28T12:00:00.000Z","duration":${at % 997},"project":"p-${at % 40}"}\n`;
  return body;
}

/** @returns events a second */
function appendAndSync(bodies: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'mlops-append-'));
  const file = openSync(join(folder, 'events'), 'w');
  const startMs = performance.now();
  for (const body of bodies) {
    writeSync(file, body);
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - startMs) / 1000;
  closeSync(file);
  rmSync(folder, { recursive: true });
  return events / seconds;
}

/** @returns events a second, and the milliseconds that the slowest hundredth of the requests waited at least */
async function sendAll(api: string, bodies: readonly string[]): Promise<{ perSecond: number; p99Ms: number }> {
  const waits: number[] = [];
  let next = 0;
  const send = async () => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const startMs = performance.now();
      const answer = await fetch(`${api}/data/events/bench`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      const { accepted } = (await answer.json()) as { accepted: number };
      if (!answer.ok || accepted !== lines) throw new Error(`A request was answered ${answer.status}.`);
      waits.push(performance.now() - startMs);
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: connections }, send));
  const perSecond = events / ((performance.now() - startMs) / 1000);
  waits.sort((a, b) => a - b);
  return { perSecond, p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0 };
}

/** Waits until each event is in the database. @returns seconds */
async function awaitShipping(api: string): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const metrics = await (await fetch(`${api}/metrics`)).text();
    if (/^mlops_events_waiting_rows 0$/m.test(metrics)) return (performance.now() - startMs) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const bodies = Array.from({ length: Math.floor(events / lines) }, (_, at) => bodyOf(at * lines, lines));
const plain = appendAndSync(bodies);
const stack = await TestStack.start({ API_WORKERS: '1' });
try {
  const { perSecond, p99Ms } = await sendAll(stack.api, bodies);
  const behindSeconds = await awaitShipping(stack.api);
  console.log(`${events} events, ${lines} a request, ${connections} connections`);
  console.log(`append and fdatasync each request   ${Math.round(plain)} events/s`);
  console.log(`POST /data/events, acknowledged     ${Math.round(perSecond)} events/s, p99 ${p99Ms.toFixed(1)} ms`);
  console.log(`in PostgreSQL after another          ${behindSeconds.toFixed(1)} s`);
  if (values.write)
    writeFigures('docs/reference/benchmarks.md', 'bench:intake', [
      [
        'events',
        'a request',
        'connections',
        'events a second, acknowledged',
        'p99 of a request, ms',
        'append and fdatasync alone',
        'all in PostgreSQL after',
      ],
      [
        events.toLocaleString('en'),
        lines,
        connections,
        Math.round(perSecond).toLocaleString('en'),
        p99Ms.toFixed(1),
        Math.round(plain).toLocaleString('en'),
        `${behindSeconds.toFixed(1)} s more`,
      ],
    ]);
} finally {
  await stack.stop();
}
