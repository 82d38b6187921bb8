import { Agent, request } from 'node:http';

/** Connections: enough that no request waits for one while the service keeps up. */
const SOCKETS = 256;

export interface Arrival {
  path: string;
  /** JSON. */
  body: string;
}

export interface Answered extends Arrival {
  /** Milliseconds since the beginning at which the request was due. */
  dueMs: number;
  /** From when the request was due, whether or not it could be sent then, to the end of its answer. */
  latencyMs: number;
  /** 0: no answer. */
  status: number;
  text: string;
}

/**
 * Sends requests at the times that a rate asks for, whether or not the former ones were answered: as many callers do who know
 * nothing of each other. A driver that waits for answers would send less just when the service is slow, and measure too little.
 * @param ratePerSecond at so many seconds since the beginning
 */
export async function runOpenLoop(options: {
  url: string;
  seconds: number;
  ratePerSecond: (second: number) => number;
  arrival: (index: number) => Arrival;
  onAnswer: (answered: Answered) => void;
}): Promise<void> {
  const { url, seconds, ratePerSecond, arrival, onAnswer } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  const startMs = performance.now();
  const send = (index: number, dueMs: number) =>
    new Promise<void>((resolve) => {
      const { path, body } = arrival(index);
      const finish = (status: number, text: string) => {
        onAnswer({ path, body, dueMs, latencyMs: performance.now() - startMs - dueMs, status, text });
        resolve();
      };
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(url + path, { method: 'POST', headers, agent }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        response.on('end', () => finish(response.statusCode ?? 0, text));
      });
      sent.on('error', (error) => finish(0, error.message));
      sent.end(body);
    });
  const under: Promise<void>[] = [];
  let dueInAll = 0;
  for (let lastMs = 0; lastMs < seconds * 1000;) {
    const nowMs = Math.min(seconds * 1000, performance.now() - startMs);
    const due = (ratePerSecond(nowMs / 1000) * (nowMs - lastMs)) / 1000;
    const first = Math.ceil(dueInAll);
    dueInAll += due;
    const count = Math.ceil(dueInAll) - first;
    for (let at = 0; at < count; at++) under.push(send(first + at, lastMs + ((nowMs - lastMs) * at) / count));
    lastMs = nowMs;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(under);
  agent.destroy();
}

/** @param sorted ascending @param share 0 to 1 */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
