import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldConnections } from '../../../api/held-connections.js';

const MAX_WAIT_MS = 500;

class Connection {
  isRead = true;
  destroyed = false;
  pause(): this {
    this.isRead = false;
    return this;
  }
  resume(): this {
    this.isRead = true;
    return this;
  }
}

let held: HeldConnections;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate', 'performance'] });
  held = new HeldConnections(MAX_WAIT_MS);
});
afterEach(() => vi.useRealTimers());

/** Holds so many, as at the end of a turn in which they were refused. */
function holdMany(count: number): Connection[] {
  const all = Array.from({ length: count }, () => new Connection());
  for (const one of all) held.hold(one as never);
  vi.advanceTimersByTime(0);
  return all;
}
const readOf = (all: readonly Connection[]) => all.filter(({ isRead }) => isRead).length;

describe('a connection whose request was refused in an overload', () => {
  it('is not read any more, and all are again soon after the overload is over', () => {
    const all = holdMany(400);
    expect(readOf(all)).toBe(0);
    vi.advanceTimersByTime(100);
    expect(readOf(all)).toBe(100);
    vi.advanceTimersByTime(3000);
    expect(readOf(all)).toBe(400);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is read again no faster than a quarter of what is answered while there is too much to do, the longest held first', () => {
    const all = holdMany(400);
    for (let look = 1; look <= 3; look++) {
      held.note(MAX_WAIT_MS + 1);
      for (let answer = 0; answer < 200; answer++) held.countAnswered();
      vi.advanceTimersByTime(100);
      expect(all.map(({ isRead }) => isRead).lastIndexOf(true)).toBe(50 * look - 1);
    }
    held.note(MAX_WAIT_MS + 1);
    vi.advanceTimersByTime(100);
    expect(readOf(all)).toBe(166);
  });

  it('has its next request refused where that has waited for longer than any may, and only that', () => {
    const [late] = holdMany(1);
    held.note(MAX_WAIT_MS + 1);
    vi.advanceTimersByTime(99);
    expect(held.hasWaited(late as never)).toBe(false);
    const seen: boolean[] = [];
    late!.resume = function resume(this: Connection) {
      this.isRead = true;
      seen.push(held.hasWaited(this as never));
      return this;
    };
    vi.advanceTimersByTime(1);
    expect(seen).toEqual([false]);
    held.hold(late as never);
    vi.advanceTimersByTime(0);
    // Others keep it from being read for longer than a request may wait.
    const others = holdMany(4000);
    for (let look = 0; look < 8; look++) {
      held.note(MAX_WAIT_MS + 1);
      vi.advanceTimersByTime(100);
    }
    const last = others.at(-1)!;
    last.resume = late!.resume;
    for (let look = 0; !last.isRead && look < 1000; look++) vi.advanceTimersByTime(100);
    expect(seen.at(-1)).toBe(true);
    vi.advanceTimersByTime(1);
    expect(held.hasWaited(last as never)).toBe(false);
  });

  it('is let go of when it is gone', () => {
    const all = holdMany(2);
    all[0]!.destroyed = true;
    vi.advanceTimersByTime(100);
    expect(all.map(({ isRead }) => isRead)).toEqual([false, true]);
  });
});
