import { describe, expect, it } from 'vitest';
import { chooseReference } from '../../../core/monitoring/choose-reference.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
const since = new Date('2024-01-01T00:00:00Z');
const windowAt = (days: number, hours = 24) => ({
  start: new Date(Number(since) + days * DAY_MS),
  end: new Date(Number(since) + days * DAY_MS + hours * HOUR_MS),
});
const choose = (days: number, hasTrainingRows = true, hours?: number) =>
  chooseReference(windowAt(days, hours), { servedSince: since, hasTrainingRows });

describe('the reference of a window', () => {
  it('is the rows of training until the version has answered for four weeks', () => {
    expect(choose(27)).toEqual({ kind: 'training' });
    expect(choose(28).kind).toBe('season');
    expect(chooseReference(windowAt(40), { servedSince: undefined, hasTrainingRows: true })).toEqual({
      kind: 'training',
    });
  });

  it('then is the same hours of the week, within the first eight weeks, and moves no further', () => {
    const of = (days: number, hours?: number) => {
      const found = choose(days, true, hours);
      return 'periods' in found ? found.periods : [];
    };
    expect(of(30)).toHaveLength(4);
    for (const days of [30, 100, 400]) {
      const periods = of(days);
      expect(periods.length).toBeGreaterThanOrEqual(4);
      expect(periods.length).toBeLessThanOrEqual(8);
      for (const { start, end } of periods) {
        expect((Number(windowAt(days).start) - Number(start)) % WEEK_MS).toBe(0);
        expect(Number(end) - Number(start)).toBe(DAY_MS);
        expect(Number(start)).toBeGreaterThanOrEqual(Number(since));
        expect(Number(end)).toBeLessThanOrEqual(Number(since) + 8 * WEEK_MS);
        expect(Number(end)).toBeLessThanOrEqual(Number(windowAt(days).start));
      }
    }
    expect(of(203, 168), 'weeks that do not overlap').toHaveLength(8);
    expect(choose(200, true, 2016), 'too long for three of them in eight weeks').toEqual({ kind: 'training' });
  });

  it('is the first week where a kind holds out no rows, and none before that is over', () => {
    expect(choose(5, false)).toMatchObject({ kind: 'none' });
    expect(choose(7, false)).toMatchObject({ kind: 'first_week', periods: { length: 7 } });
    expect(chooseReference(windowAt(9), { servedSince: undefined, hasTrainingRows: false }).kind).toBe('none');
  });
});
