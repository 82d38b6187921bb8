import { describe, expect, it } from 'vitest';
import { findStuckJobs, judgeSpools, readWaiting } from '../../../cli/doctor/examine-work.js';
import { judgeClock, judgeDisk, judgeNode } from '../../../cli/doctor/finding.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const job = (change: object) => ({
  job_id: 'train-1',
  type: 'train',
  stage: 'fit',
  status: 'running',
  created_at: '2026-03-01T11:59:00Z',
  started_at: '2026-03-01T11:59:00Z',
  ...change,
});

describe('what doctor finds', () => {
  it('asks for a newer Node where the package needs one', () => {
    expect(judgeNode('20.18.9', '>=20.19')).toMatchObject({
      state: 'problem',
      repair: expect.stringContaining('nodejs.org'),
    });
    expect(['20.19.0', '22.1.0'].map((version) => judgeNode(version, '>=20.19').state)).toEqual(['ok', 'ok']);
  });

  it('tells of a disk before it is full', () => {
    const gib = 2 ** 30;
    expect([5, 1, 0.1].map((free) => judgeDisk('disk_space', '/data', free * gib).state)).toEqual([
      'ok',
      'warning',
      'problem',
    ]);
  });

  it('tells a wrong clock from a slow answer', () => {
    const date = 'Sun, 01 Mar 2026 12:00:00 GMT';
    expect(judgeClock(date, NOW, NOW + 400)?.state).toBe('ok');
    expect(judgeClock(date, NOW - 55_000, NOW + 5000)?.state).toBe('ok');
    expect(judgeClock(date, NOW - 100_000, NOW - 99_000)?.message).toContain('99 s ahead of');
    expect(judgeClock(date, NOW + 100_000, NOW + 100_100)?.message).toContain('99 s behind');
    expect(judgeClock(null, NOW, NOW)).toBeUndefined();
  });

  it('names jobs that wait or take too long, and leaves those alone that may take days', () => {
    const old = { started_at: '2026-03-01T06:00:00Z' };
    const jobs = [
      job({}),
      job({ ...old, job_id: 'slow' }),
      job({ ...old, type: 'deploy' }),
      job({ ...old, stage: 'paused' }),
      job({ job_id: 'waits', status: 'queued', started_at: null, created_at: '2026-03-01T11:50:00Z' }),
    ];
    expect(findStuckJobs(jobs, NOW).map(({ check, message }) => [check, message])).toEqual([
      ['job:slow', 'at fit for 6 h 0 min in all'],
      ['job:waits', 'queued for 10 min 0 s'],
    ]);
  });

  it('knows a spool that is drained from one that is not', () => {
    const metrics =
      '# HELP x\nmlops_prediction_log_buffered_rows 5\nmlops_events_waiting_rows{process="1"} 2\nmlops_events_waiting_rows{process="2"} 1\n';
    expect(readWaiting(metrics)).toEqual({ predictions: 5, events: 3 });
    const states = (before: object, after: object) =>
      judgeSpools(before as never, after as never).map(({ state }) => state);
    expect(states({ predictions: 5 }, { predictions: 5 })).toEqual(['warning']);
    expect(states({ predictions: 5 }, { predictions: 4, events: 0 })).toEqual(['ok', 'ok']);
  });
});
