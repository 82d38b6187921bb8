import { describe, expect, it } from 'vitest';
import { MemoryGate } from '../../../services/search/memory-gate.js';

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the memory of a worker', () => {
  it('is never given out twice, and in the order of asking', async () => {
    const gate = new MemoryGate(100);
    const entered: string[] = [];
    const leaveFirst = await gate.enter(60, never);
    const large = gate.enter(50, never).then((leave) => (entered.push('large'), leave));
    // There is room for it, but letting it in would make the large one wait for ever.
    const small = gate.enter(30, never).then((leave) => (entered.push('small'), leave));
    await settled();
    expect(entered).toEqual([]);
    leaveFirst();
    leaveFirst();
    const leaves = await Promise.all([large, small]);
    expect(entered).toEqual(['large', 'small']);
    expect(gate.usedMb).toBe(80);
    for (const leave of leaves) leave();
    expect(gate.usedMb).toBe(0);
  });

  it('lets in alone what needs more than there is', async () => {
    const gate = new MemoryGate(100);
    const leave = await gate.enter(40, never);
    let isIn = false;
    const huge = gate.enter(500, never).then((left) => ((isIn = true), left));
    await settled();
    expect(isIn).toBe(false);
    leave();
    (await huge)();
    expect(gate.usedMb).toBe(0);
  });

  it('forgets who has given up waiting', async () => {
    const gate = new MemoryGate(100);
    const leave = await gate.enter(90, never);
    const giveUp = new AbortController();
    const waiting = gate.enter(80, giveUp.signal);
    const behind = gate.enter(10, never);
    giveUp.abort(new Error('the sweep was stopped'));
    await expect(waiting).rejects.toThrow('the sweep was stopped');
    (await behind)();
    leave();
    expect(gate.usedMb).toBe(0);
    await expect(gate.enter(1, giveUp.signal)).rejects.toThrow('the sweep was stopped');
  });
});
