import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '../../../services/serving/circuit-breaker.js';

describe('CircuitBreaker', () => {
  let up = false;
  let probes = 0;
  const probe = (): Promise<void> => {
    probes += 1;
    return up ? Promise.resolve() : Promise.reject(new Error('down'));
  };
  const breaker = (): CircuitBreaker => new CircuitBreaker({ probe, firstWaitMs: 100, longestWaitMs: 400 });

  beforeEach(() => {
    up = false;
    probes = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('probes with a wait that doubles up to the longest, then closes by itself', async () => {
    const circuit = breaker();
    circuit.fail();
    circuit.fail();
    for (const [waitMs, expected] of [
      [99, 0],
      [1, 1],
      [199, 1],
      [1, 2],
      [400, 3],
      [399, 3],
      [1, 4],
    ] as const) {
      await vi.advanceTimersByTimeAsync(waitMs);
      expect(probes).toBe(expected);
      expect(circuit.isClosed).toBe(false);
    }
    up = true;
    await vi.advanceTimersByTimeAsync(400);
    expect(circuit.state).toBe('closed');
    circuit.fail();
    await vi.advanceTimersByTimeAsync(100);
    expect(probes).toBe(6);
  });

  it('leaves no timer behind and stays open once stopped', async () => {
    const circuit = breaker();
    circuit.fail();
    circuit.stop();
    expect(vi.getTimerCount()).toBe(0);
    circuit.fail();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(probes).toBe(0);
    expect(circuit.state).toBe('open');
  });

  it('refuses waits that make no sense', () => {
    expect(() => new CircuitBreaker({ probe, firstWaitMs: 0, longestWaitMs: 1 })).toThrow(RangeError);
    expect(() => new CircuitBreaker({ probe, firstWaitMs: 2, longestWaitMs: 1 })).toThrow(RangeError);
  });
});
