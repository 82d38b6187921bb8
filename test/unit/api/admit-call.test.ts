import { Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../api/admission.js';
import { admitCall } from '../../../api/grpc/admit-call.js';
import type { ApiContext } from '../../../api/http-context.js';
import { RateLimiter } from '../../../api/rate-limiter.js';
import { BatchTurns } from '../../../services/serving/batch-turns.js';
import { createMetrics } from '../../../services/telemetry/metrics.js';

function contextWith(rateLimit: number, routeRates: [string, number][] = []) {
  const rates = new RateLimiter({ rateLimit, routeRates: new Map(routeRates), processes: 1, shared: undefined });
  const metrics = createMetrics();
  const admission = new Admission({ maxWaitMs: 0, rates, batchTurns: new BatchTurns(0), metrics });
  return { admission, metrics } as unknown as ApiContext;
}
const from = (peer: string) => ({ metadata: new Metadata(), getPeer: () => peer });
const infer = (context: ApiContext, peer: string) => admitCall(context, 'ModelInfer', from(peer), undefined);

describe('a call over gRPC', () => {
  it('counts against the rate of its caller, whichever port it comes from', async () => {
    const context = contextWith(2);
    for (const port of [1, 2]) expect((await infer(context, `10.0.0.1:${port}`)).subject).toBe('local');
    await expect(infer(context, '10.0.0.1:3')).rejects.toMatchObject({ code: 'rate_limited' });
    expect((await infer(context, '[::1]:3')).subject).toBe('local');
    const text = await context.metrics.registry.metrics();
    expect(text).toContain('mlops_requests_refused_total{reason="rate_limited"} 1');
  });

  it('shares the rate of its route with HTTP', async () => {
    const route = 'POST /v2/models/{model}/infer';
    const context = contextWith(0, [[route, 2]]);
    expect(context.admission.refuseRoute(undefined, '10.0.0.1', route)).toBeUndefined();
    await infer(context, '10.0.0.1:1');
    await expect(infer(context, '10.0.0.1:1')).rejects.toMatchObject({ code: 'rate_limited' });
  });

  it('that only asks whether the server lives is always answered', async () => {
    const context = contextWith(1);
    for (let i = 0; i < 5; i++)
      expect((await admitCall(context, 'ServerLive', from('10.0.0.1:1'), undefined)).subject).toBe('local');
  });
});
