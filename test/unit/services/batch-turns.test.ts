import { describe, expect, it } from 'vitest';
import { BatchTurns } from '../../../services/serving/batch-turns.js';

/** Work that ends when it is told to. */
function held() {
  let end!: () => void;
  const done = new Promise<void>((resolve) => (end = resolve));
  let hasBegun = false;
  const work = async () => {
    hasBegun = true;
    await done;
  };
  return { work, end, hasBegun: () => hasBegun };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('turns of batches', () => {
  it('lets four work at a time and the others wait in their order, whatever becomes of those before', async () => {
    const turns = new BatchTurns(0);
    const batches = Array.from({ length: 7 }, held);
    const ran = batches.map(({ work }) => turns.run(10, work));
    await turn();
    expect(batches.map(({ hasBegun }) => hasBegun())).toEqual([true, true, true, true, false, false, false]);
    const failing = turns.run(10, () => Promise.reject(new Error('of the batch')));
    batches[2]!.end();
    await ran[2];
    await turn();
    expect(batches.map(({ hasBegun }) => hasBegun()).indexOf(false)).toBe(5);
    for (const { end } of batches) end();
    await Promise.all(ran);
    await expect(failing).rejects.toThrow('of the batch');
    const after = held();
    const last = turns.run(10, after.work);
    await turn();
    expect(after.hasBegun()).toBe(true);
    after.end();
    await last;
  });

  it('refuses at once what would wait too long, and takes it again when there is room', async () => {
    const turns = new BatchTurns(50);
    // A row takes about a millisecond.
    await turns.run(20, () => pause(20));
    const batches = Array.from({ length: 4 }, held);
    const ran = batches.map(({ work }) => turns.run(200, work));
    await turn();
    expect(turns.isFull).toBe(true);
    await expect(turns.run(10, () => Promise.resolve())).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterSeconds: 1,
    });
    expect(await turns.run(1, () => Promise.resolve('one row waits for nobody'))).toBe('one row waits for nobody');
    for (const { end } of batches) end();
    await Promise.all(ran);
    expect(turns.isFull).toBe(false);
    expect(await turns.run(10, () => Promise.resolve('taken'))).toBe('taken');
  });

  it('never refuses where there is no limit', async () => {
    const turns = new BatchTurns(0);
    await turns.run(2, () => pause(20));
    const batches = Array.from({ length: 50 }, held);
    const ran = batches.map(({ work }) => turns.run(10_000, work));
    for (const { end } of batches) end();
    await Promise.all(ran);
    expect(turns.isFull).toBe(false);
  });
});
