import { describe, expect, it } from 'vitest';
import { MOST_ATTEMPTS, retryDelaySeconds } from '../../../core/policy/webhook-retry.js';

describe('the retries of a webhook', () => {
  const delays = (draw: number) =>
    Array.from({ length: MOST_ATTEMPTS - 1 }, (_, at) => retryDelaySeconds(at + 1, draw)!);

  it('begin within seconds, grow, and end after about a day', () => {
    expect(delays(0.5)[0]).toBe(5);
    expect(delays(0.5).every((delay, at, all) => at === 0 || delay >= all[at - 1]!)).toBe(true);
    const hours = delays(0.5).reduce((sum, delay) => sum + delay, 0) / 3600;
    expect(hours).toBeGreaterThan(24);
    expect(hours).toBeLessThan(27);
    expect(retryDelaySeconds(MOST_ATTEMPTS, 0.5)).toBeUndefined();
  });

  it('are spread by a fifth to either side', () => {
    expect(retryDelaySeconds(1, 0)).toBe(4);
    expect(retryDelaySeconds(1, 1)).toBe(6);
  });
});
