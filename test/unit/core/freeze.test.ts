import { describe, expect, it } from 'vitest';
import { frozenUntilMs, type FreezeWindow } from '../../../core/policy/freeze.js';
import { freezeRequestSchema } from '../../../core/schemas/freeze.js';

const until = (windows: readonly FreezeWindow[], at: string) => {
  const ms = frozenUntilMs(windows, Date.parse(at));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

describe('a freeze', () => {
  const sale = { starts_at: '2026-11-27T00:00:00Z', ends_at: '2026-12-01T00:00:00+01:00' };
  it.each([
    ['2026-11-26T23:59:59.999Z', undefined],
    ['2026-11-27T00:00:00Z', '2026-11-30T23:00:00.000Z'],
    ['2026-11-30T22:59:59.999Z', '2026-11-30T23:00:00.000Z'],
    ['2026-11-30T23:00:00Z', undefined],
  ])('for once holds from its start until just before its end: %s', (at, end) => {
    expect(until([sale], at)).toBe(end);
  });

  const weekend: FreezeWindow = { days: ['fri'], from: '16:00', to: '08:00', time_zone: 'Europe/Berlin' };
  it.each([
    // 16:00 in Berlin is 14:00 UTC in summer and 15:00 in winter.
    ['2026-07-03T13:59:00Z', undefined],
    ['2026-07-03T14:00:00Z', '2026-07-04T06:00:00.000Z'],
    ['2026-07-04T05:59:59Z', '2026-07-04T06:00:00.000Z'],
    ['2026-07-04T06:00:00Z', undefined],
    ['2026-12-04T14:30:00Z', undefined],
    ['2026-12-04T15:00:00Z', '2026-12-05T07:00:00.000Z'],
    ['2026-12-03T15:00:00Z', undefined],
  ])('of a week holds by the clock of its place, over midnight: %s', (at, end) => {
    expect(until([weekend], at)).toBe(end);
  });

  it('whose end is its start lasts a day', () => {
    expect(until([{ days: ['sun'], from: '00:00', to: '00:00', time_zone: 'UTC' }], '2026-11-29T23:59:00Z')).toBe(
      '2026-11-30T00:00:00.000Z',
    );
  });

  it('lasts as long as the longest of those that hold', () => {
    expect(until([weekend, sale], '2026-11-27T15:30:00Z')).toBe('2026-11-30T23:00:00.000Z');
    expect(until([], '2026-11-27T15:30:00Z')).toBeUndefined();
  });

  it.each([
    { reason: 'x', window: { starts_at: '2026-11-27T00:00:00Z', ends_at: '2026-11-27T00:00:00Z' } },
    { reason: 'x', window: { starts_at: 'tomorrow', ends_at: '2026-11-27T00:00:00Z' } },
    { reason: 'x', window: { days: ['friday'], from: '16:00', to: '08:00' } },
    { reason: 'x', window: { days: [], from: '16:00', to: '08:00' } },
    { reason: 'x', window: { days: ['fri'], from: '24:00', to: '08:00' } },
    { reason: 'x', window: { days: ['fri'], from: '16:00', to: '08:00', time_zone: 'Mars/Olympus' } },
    { reason: '', window: sale },
    { window: sale },
  ])('that cannot be held to is refused: %j', (request) => {
    expect(freezeRequestSchema.safeParse(request).success).toBe(false);
  });
});
