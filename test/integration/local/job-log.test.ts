import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { followJobLog } from '../../../api/routes/follow-job-log.js';
import type { Database } from '../../../services/database/database.js';
import { eraseFromTables, searchTables } from '../../../services/erasure/subject-in-rows.js';
import { createJobLog, MOST_LINES, type JobLog, type NewLogLine } from '../../../services/jobs/job-log.js';
import { MigratedDatabase } from '../../support/migrated-database.js';

let server: MigratedDatabase;
let database: Database;
let jobLog: JobLog;

beforeAll(async () => {
  server = await MigratedDatabase.start();
  ({ database } = server);
  jobLog = createJobLog(database);
});
afterAll(async () => {
  await server?.stop();
});

let count = 0;
const line = (jobId: string, message: string, more: Partial<NewLogLine> = {}): NewLogLine => ({
  id: `p-${count++}`,
  job_id: jobId,
  at: '2026-03-01T10:00:00.000Z',
  level: 'info',
  source: 'test',
  step: 'fit',
  attempt: 1,
  message,
  detail: { rows: 3 },
  ...more,
});

describe('the table of logs', () => {
  it('has a line once, however often it is sent, and pages from the newest', async () => {
    const lines = ['a', 'b', 'c'].map((message) => line('paged', message));
    await jobLog.append(lines);
    await jobLog.append(lines);
    const first = await jobLog.list('paged', { limit: 2 });
    expect(first.items.map(({ message }) => message)).toEqual(['c', 'b']);
    const second = await jobLog.list('paged', { limit: 2, cursor: first.next_cursor! });
    expect(second).toMatchObject({ items: [{ message: 'a', detail: { rows: 3 }, step: 'fit' }], next_cursor: null });
    await jobLog.append([line('paged', 'bad', { level: 'error' }), line('paged', 'worse', { level: 'fatal' })]);
    const bad = await jobLog.list('paged', { limit: 5, level: 'error' });
    expect(bad.items.map(({ message }) => message)).toEqual(['worse', 'bad']);
    await expect(jobLog.list('paged', { limit: 2, cursor: '1; DROP' })).rejects.toMatchObject({
      code: 'request_invalid',
    });
  });

  it('takes any text, and lets go of the oldest lines of a job that has too many, and of no other', async () => {
    await jobLog.append([line('other', 'a\u0000b\ud800', { detail: { 'k\u0000': '\udfff' } })]);
    const many = Array.from({ length: MOST_LINES + 30 }, (_, at) => line('many', `${at}`));
    for (let at = 0; at < many.length; at += 500) await jobLog.append(many.slice(at, at + 500));
    const kept = await jobLog.listAfter('many', 0n, 10_000);
    expect([kept.length, kept[0]!.message, kept.at(-1)!.message]).toEqual([MOST_LINES, '30', `${MOST_LINES + 29}`]);
    expect(await jobLog.listAfter('other', 0n, 10)).toHaveLength(1);
  });

  it('is followed without a gap by a reader that looks while several processes write', async () => {
    const follow = followJobLog('followed', 0n, jobLog);
    const seen: string[] = [];
    const look = async (isOver: boolean) => {
      for (const { data } of await follow(isOver)) seen.push((JSON.parse(data) as { message: string }).message);
    };
    const writing = { is: true };
    const writers = Promise.all(
      ['x', 'y', 'z'].map(async (name) => {
        for (let at = 0; at < 20; at += 1) await jobLog.append([line('followed', `${name}${at}`)]);
      }),
    ).finally(() => (writing.is = false));
    while (writing.is) await look(false);
    await writers;
    await look(true);
    expect(seen).toHaveLength(60);
    expect(new Set(seen).size).toBe(60);
  });

  it('forgets what is old, and what names a person who is erased', async () => {
    const { append, listAfter } = jobLog;
    await append([line('old', 'old'), line('old', 'new', { at: new Date().toISOString() })]);
    await append([
      ...['user_7 is unknown', 'all of user_70 stays', 'rows 7'].map((message) => line('person', message)),
      line('person', 'in detail', { detail: { reason: 'user_7' } }),
    ]);
    await eraseFromTables(database, 'user_7');
    expect((await listAfter('person', 0n, 9)).map(({ message }) => message)).toEqual([
      'all of user_70 stays',
      'rows 7',
    ]);
    expect((await searchTables(database, 'user_7')).filter(({ rows }) => rows > 0)).toEqual([]);
    await eraseFromTables(database, 'a.b(c');
    await jobLog.removeOlder(30);
    expect((await listAfter('old', 0n, 9)).map(({ message }) => message)).toEqual(['new']);
  });
});
