import { describe, expect, it } from 'vitest';
import { clientOf, RateLimiter, refuseUnknownRoutes } from '../../../api/rate-limiter.js';
import { loadConfig } from '../../../services/config.js';

const ROUTE = 'POST /models/train';
const open = (processes: number, rateLimit = 10) =>
  new RateLimiter({ rateLimit, routeRates: new Map([[ROUTE, 6]]), processes, shared: undefined });
const countTaken = (limiter: RateLimiter, client: string, times: number, nowMs: number) =>
  Array.from({ length: times }, () => limiter.refuse(client, nowMs)).filter((refusal) => !refusal).length;

describe('the rate of a caller', () => {
  it('is shared out to the processes, each of which lets at least one through', () => {
    expect(countTaken(open(1), 'a', 50, 0)).toBe(10);
    expect(countTaken(open(4), 'a', 50, 0)).toBe(2);
    expect(countTaken(open(100), 'a', 50, 0)).toBe(1);
    const limiter = open(4);
    countTaken(limiter, 'a', 50, 0);
    expect(countTaken(limiter, 'a', 50, 400)).toBe(1);
    expect(countTaken(limiter, 'b', 50, 400)).toBe(2);
  });

  it('is that of its name from wherever it calls, and an address cannot pass for a name', () => {
    const limiter = open(1);
    expect(countTaken(limiter, clientOf('ada', '10.0.0.1'), 50, 0)).toBe(10);
    expect(countTaken(limiter, clientOf('ada', '10.0.0.2'), 50, 0)).toBe(0);
    expect(countTaken(limiter, clientOf(undefined, 'ada'), 50, 0)).toBe(10);
  });

  it('to a single route is by the minute, and leaves all others alone', () => {
    const limiter = open(1, 0);
    const taken = Array.from({ length: 20 }, () => limiter.refuseRoute('a', ROUTE, 0)).filter((refusal) => !refusal);
    expect(taken).toHaveLength(6);
    expect(limiter.refuseRoute('a', ROUTE, 0)).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 10 });
    expect(limiter.refuseRoute('a', ROUTE, 10_001)).toBeUndefined();
    expect(limiter.refuseRoute('a', 'POST /data/ingest', 0)).toBeUndefined();
    expect(limiter.refuse('a', 0)).toBeUndefined();
  });

  it('must be of a route that there is', () => {
    const check = (route: string) => () =>
      refuseUnknownRoutes(new Map([[route, 1]]), [{ method: 'post', path: '/predict/{model}' }]);
    expect(check('POST /predict/{model}')).not.toThrow();
    for (const route of ['POST /predict/churn', 'GET /predict/{model}', 'POST /predict/{model}/'])
      expect(check(route)).toThrow(/RATE_LIMIT_ROUTES names .* no route/);
  });

  it('is read from the settings', () => {
    const load = (text: string) => loadConfig({ DATABASE_URL: 'postgresql://u:p@h/d', RATE_LIMIT_ROUTES: text });
    expect([...load('POST /models/train=10, GET /jobs/{job_id}=600').routeRates]).toEqual([
      ['POST /models/train', 10],
      ['GET /jobs/{job_id}', 600],
    ]);
    expect(() => load('POST /models/train')).toThrow(/RATE_LIMIT_ROUTES/);
    expect(() => load('POST /models/train=0')).toThrow(/RATE_LIMIT_ROUTES/);
  });
});
