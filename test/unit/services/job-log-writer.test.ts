import { describe, expect, it } from 'vitest';
import type { NewLogLine } from '../../../services/jobs/job-log.js';
import { JobLogWriter, readLine } from '../../../services/jobs/job-log-writer.js';
import { createLogger } from '../../../services/telemetry/logger.js';

/** A writer over a log that keeps what it is given, and is away as long as `away` says. */
function open(away = { is: false }) {
  const kept = new Map<string, NewLogLine>();
  let calls = 0;
  const jobLog = {
    append: (lines: readonly NewLogLine[]) => {
      calls += 1;
      if (away.is) return Promise.reject(new Error('away'));
      for (const line of lines) kept.set(line.id, line);
      return Promise.resolve();
    },
  };
  const logger = createLogger('test', 'silent');
  const writer = new JobLogWriter({ jobLog, logger: () => logger });
  const log = (message: string, jobId: string | undefined = 'train-1') =>
    writer.take(JSON.stringify({ level: 'info', time: '2026-03-01T10:00:00.000Z', job_id: jobId, message }));
  return { writer, log, kept, away, calls: () => calls };
}

describe('the log of a job', () => {
  it('has the lines that name the job, in their order, and no others', async () => {
    const { writer, log, kept } = open();
    log('first');
    writer.take(JSON.stringify({ level: 'info', time: 'x', message: 'of no job' }));
    writer.take(JSON.stringify({ level: 'info', time: 'x', message: 'a folder?', job_id: '../etc' }));
    log('second', 'train-2');
    await writer.flush();
    expect([...kept.values()].map(({ job_id: id, message }) => [id, message])).toEqual([
      ['train-1', 'first'],
      ['train-2', 'second'],
    ]);
  });

  it('keeps lines for a database that is away, gives up the oldest of too many, and writes each once', async () => {
    const { writer, log, kept, away } = open({ is: true });
    for (let line = 0; line < 5010; line += 1) log(`line ${line}`);
    await writer.flush();
    expect(kept.size).toBe(0);
    away.is = false;
    await Promise.all([writer.flush(), writer.flush()]);
    const messages = [...kept.values()].map(({ message }) => message);
    expect(messages).toHaveLength(5000);
    expect([messages[0], messages.at(-1)]).toEqual(['line 10', 'line 5009']);
  });

  it('says what a line adds, without stacks and what all lines of a job say, and never at any length', () => {
    const line = {
      level: 'warn',
      time: '2026-03-01T10:00:00.000Z',
      pid: 1,
      component: 'training-worker',
      job_id: 'train-1',
      correlation_id: 'c',
      trace_id: 't',
      activity: 'fitModel',
      attempt: 2,
      message: 'm'.repeat(5000),
      seconds: 1.5,
      err: { type: 'Error', message: 'no', stack: 'at x' },
    };
    const read = readLine(JSON.stringify(line))!;
    expect(read).toMatchObject({ source: 'training-worker', step: 'fitModel', attempt: 2, level: 'warn' });
    expect(read.detail).toEqual({ seconds: 1.5, err: { type: 'Error', message: 'no' } });
    expect(read.message).toHaveLength(1000);
    const long = readLine(JSON.stringify({ ...line, more: 'x'.repeat(5000) }))!;
    expect(JSON.stringify(long.detail).length).toBeLessThan(200);
  });

  it('is told what the logger of a process writes at its level', () => {
    const lines: string[] = [];
    const logger = createLogger('test', 'fatal', (line) => lines.push(line));
    logger.warn({ job_id: 'train-1' }, 'not at this level');
    expect(lines).toEqual([]);
  });
});
