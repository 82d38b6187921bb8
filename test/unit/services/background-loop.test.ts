import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BackgroundLoop, type BackgroundLoopOptions } from '../../../services/background-loop.js';
import { createDeferred } from '../../../services/deferred.js';

const EVERY_MS = 3000;

/** A loop without jitter whose log is read. */
function createLoop(look: BackgroundLoopOptions['look'], more: Partial<BackgroundLoopOptions> = {}) {
  const lines: string[] = [];
  const log = (level: string) => (_: unknown, message: string) => void lines.push(`${level}: ${message}`);
  const logger = { warn: log('warn'), debug: log('debug'), info: log('info') } as never;
  const problem = 'it cannot be looked at';
  return { lines, loop: new BackgroundLoop({ look, everyMs: EVERY_MS, problem, logger, random: () => 0.5, ...more }) };
}

describe('BackgroundLoop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('looks at once, and again as long after the end of each look as it was told', async () => {
    let looks = 0;
    const { loop } = createLoop(async () => {
      looks += 1;
      await new Promise((resolve) => setTimeout(resolve, 10_000));
    });
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000 + EVERY_MS - 1);
    expect(looks).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(looks).toBe(2);
  });

  it('joins calls that come during a look into one more, and never looks twice at a time', async () => {
    const ends = [createDeferred<void>(), createDeferred<void>(), createDeferred<void>()];
    let looks = 0;
    const { loop } = createLoop(() => ends[looks++]!.promise);
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    for (let call = 0; call < 5; call++) loop.look();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toBe(1);
    ends[0]!.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toBe(2);
    ends[1]!.resolve();
    await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
    expect(looks).toBe(2);
  });

  it('lets a look ask for the next one as soon as it begins', async () => {
    let looks = 0;
    const { loop } = createLoop(async () => {
      if (++looks < 3) loop.look();
    });
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(looks).toBe(3);
  });

  it('waits for the look under way when it is stopped, tells it so, and begins no other', async () => {
    const end = createDeferred<void>();
    let looks = 0;
    let told: AbortSignal | undefined;
    const { loop } = createLoop((signal) => {
      looks += 1;
      told = signal;
      return end.promise;
    });
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    loop.look();
    let isStopped = false;
    const stopped = loop.stop().then(() => void (isStopped = true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect([isStopped, told?.aborted]).toEqual([false, true]);
    end.resolve();
    await stopped;
    loop.look();
    await loop.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect([looks, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('waits no longer than it may for a look that never ends', async () => {
    const { loop } = createLoop(() => new Promise(() => undefined), { stopWithinMs: 2000 });
    loop.start();
    await vi.advanceTimersByTimeAsync(0);
    const stopped = loop.stop();
    await vi.advanceTimersByTimeAsync(2000);
    await stopped;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('warns once of failures in a row, waits longer after each, and says when it works again', async () => {
    const atMs: number[] = [];
    const startMs = Date.now();
    const { loop, lines } = createLoop(async () => {
      atMs.push(Date.now() - startMs);
      if (atMs.length <= 5) throw new Error('no connection');
    });
    loop.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(atMs).toEqual([0, 1000, 3000, 7000, 12_000, 17_000, 20_000]);
    const quiet = Array.from({ length: 4 }, () => 'debug: it cannot be looked at');
    expect(lines).toEqual(['warn: it cannot be looked at', ...quiet, 'info: it works again']);
  });

  it('rests after a long look by its length, within a limit, and varies its pauses', async () => {
    const atMs: number[] = [];
    const startMs = Date.now();
    const { loop } = createLoop(
      async () => {
        atMs.push(Date.now() - startMs);
        await new Promise((resolve) => setTimeout(resolve, atMs.length === 1 ? 4000 : 1_000_000));
      },
      { pauseTimes: 2, longestPauseMs: 30_000, random: () => 0 },
    );
    loop.start();
    await vi.advanceTimersByTimeAsync(60_000);
    // Four seconds of work, and nine tenths of eight seconds of rest.
    expect(atMs).toEqual([0, 11_200]);
  });
});
