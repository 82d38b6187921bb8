import { describe, expect, it } from 'vitest';
import { judgePlatform } from '../../../core/decisions/judge-platform.js';

const when = (metric: 'failed_jobs' | 'error_share' | 'p99_ms' | 'dependency_down', above: number) => ({
  metric,
  above,
  window_minutes: 5,
});
const requests = (errors: number, slowMs: number, count = 100) => ({
  requests: [{ model: 'churn', requests: count, errors, slow_us: slowMs * 1000 }],
});

describe('judgePlatform', () => {
  it('calls what is above the limit an alarm, and what is at it none', () => {
    const stateOf = (errors: number) => judgePlatform(when('error_share', 0.05), requests(errors, 1))[0]!.state;
    expect([stateOf(5), stateOf(6)]).toEqual(['ok', 'alarm']);
    expect(judgePlatform(when('p99_ms', 250), requests(0, 250.1))).toEqual([
      {
        model: 'churn',
        subject: 'requests:latency',
        state: 'alarm',
        value: 250.1,
        threshold: 250,
        summary: 'Of 100 answers one in a hundred took longer than 250.1 ms.',
      },
    ]);
  });

  it('does not judge a share or a slowest hundredth of less than 50 requests', () => {
    const few = requests(49, 9000, 49);
    for (const metric of ['error_share', 'p99_ms'] as const)
      expect(judgePlatform(when(metric, 0), few)[0]).toMatchObject({ state: 'unknown', value: null });
    expect(judgePlatform(when('error_share', 0), requests(50, 1, 50))[0]).toMatchObject({ state: 'alarm', value: 1 });
  });

  it('judges failed jobs of all and of each model, and says so where none failed', () => {
    const failedJobs = [
      { model: '', failed: 4 },
      { model: 'churn', failed: 3 },
    ];
    const judged = judgePlatform(when('failed_jobs', 3), { failedJobs });
    expect(judged.map(({ model, state, value }) => [model, state, value])).toEqual([
      ['', 'alarm', 4],
      ['churn', 'ok', 3],
    ]);
    expect(judgePlatform(when('failed_jobs', 3), { failedJobs: [] })).toMatchObject([
      { model: '', subject: 'jobs', state: 'ok', value: 0, summary: '0 jobs failed within 5 minutes.' },
    ]);
  });

  it('says of each dependency whether it is there, and what it affects', () => {
    const dependencies = {
      database: { status: 'up', affects: 'jobs' },
      redis: { status: 'down', affects: 'the cache', error: 'ECONNREFUSED' },
    } as const;
    expect(
      judgePlatform(when('dependency_down', 0), { dependencies }).map(({ subject, state, summary }) => [
        subject,
        state,
        summary,
      ]),
    ).toEqual([
      ['dependency:database', 'ok', 'database is up.'],
      ['dependency:redis', 'alarm', 'redis is down (ECONNREFUSED). It affects: the cache.'],
    ]);
  });
});
