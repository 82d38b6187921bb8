import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../core/errors.js';
import { createLogger } from '../../../services/telemetry/logger.js';
import { figuresOf, logActivity } from '../../../workers/log-activity.js';

/** What one attempt of an activity leaves in the log. */
async function logged(activityType: string, run: () => Promise<unknown>) {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('test', 'silent');
  const note = (level: string) => (fields: object, message: string) => lines.push({ level, message, ...fields });
  Object.assign(logger, { info: note('info'), warn: note('warn') });
  const { execute } = logActivity({ activityType, attempt: 2 }, logger);
  await execute!({ args: [], headers: {} }, run).catch(() => undefined);
  return lines;
}

describe('an attempt of a step', () => {
  it('says how long it took and what figures it came to, not what it passes on', async () => {
    const result = {
      rows: 20,
      digest: 'abc',
      jobId: 'j',
      plan: { secret: 1 },
      text: 'a sentence of someone',
      ok: true,
    };
    expect(await logged('fitModel', () => Promise.resolve(result))).toEqual([
      {
        level: 'info',
        message: 'fitModel done',
        activity: 'fitModel',
        attempt: 2,
        seconds: expect.any(Number),
        rows: 20,
        digest: 'abc',
        ok: true,
      },
    ]);
    expect(figuresOf(['a'])).toEqual({});
    expect(figuresOf(undefined)).toEqual({});
  });

  it('says why it failed, by its code', async () => {
    const lines = await logged('readSlice', () => Promise.reject(new ServiceError('source_unreadable', 'no host')));
    expect(lines).toMatchObject([{ level: 'warn', code: 'source_unreadable', reason: 'no host', attempt: 2 }]);
  });

  it('is silent about notes of the job itself', async () => {
    expect(await logged('beginJob', () => Promise.resolve())).toEqual([]);
  });
});
