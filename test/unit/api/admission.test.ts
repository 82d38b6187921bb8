import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Admission } from '../../../api/admission.js';
import { RateLimiter } from '../../../api/rate-limiter.js';
import { BatchTurns } from '../../../services/serving/batch-turns.js';
import { createMetrics } from '../../../services/telemetry/metrics.js';

const MAX_WAIT_MS = 200;

function connection() {
  const calls: string[] = [];
  const note = (call: string) => () => void calls.push(call);
  return { calls, socket: { destroyed: false, pause: note('pause'), resume: note('resume') } as unknown as Socket };
}

it('refuses a batch before its headers and body are looked at while others have all the time, and does not read its connection for a while', async () => {
  const batchTurns = new BatchTurns(MAX_WAIT_MS);
  const metrics = createMetrics();
  const rates = new RateLimiter({ rateLimit: 0, routeRates: new Map(), processes: 1, shared: undefined });
  const admission = new Admission({ maxWaitMs: MAX_WAIT_MS, rates, batchTurns, metrics });
  const { socket, calls } = connection();
  const batch = { socket, url: '/predict/user_behavior/batch' };
  expect(admission.refuseAtOnce(batch)).toBeUndefined();

  // So many rows that they take minutes, however fast a row is.
  await batchTurns.run(10, () => Promise.resolve());
  const ends: (() => void)[] = [];
  const running = Array.from({ length: 4 }, () =>
    batchTurns.run(1e12, () => new Promise<void>((resolve) => ends.push(resolve))),
  );
  expect(batchTurns.waitMs).toBeGreaterThan(MAX_WAIT_MS);
  expect(admission.refuseAtOnce(batch)).toMatchObject({ code: 'overloaded', retryAfterSeconds: 1 });
  expect(admission.refuseAtOnce({ socket: connection().socket, url: '/predict/user-behavior' })).toBeUndefined();
  await nextTurn();
  expect(calls).toEqual(['pause']);
  expect(await metrics.registry.metrics()).toContain('mlops_requests_refused_total{reason="overloaded"} 1');

  for (const end of ends) end();
  await Promise.all(running);
  expect(batchTurns.waitMs).toBe(0);
  expect(admission.refuseAtOnce({ socket: connection().socket, url: batch.url })).toBeUndefined();
});
