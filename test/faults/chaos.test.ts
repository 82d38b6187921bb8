import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrng } from '../../ml/random/prng.js';
import { ChaosStack } from '../chaos/chaos-stack.js';
import { FAULTS } from '../chaos/faults.js';
import { runFault } from '../chaos/run-fault.js';

/** A piece of `npm run chaos`: a crash of each part whose fit is not under way, and one fault of other sorts. */
const CHOSEN = ['kill postgres', 'kill temporal', 'kill pipeline-worker', 'kill api', 'half-open postgres', 'disk api'];
const SECONDS = 1;

let world: ChaosStack;
const prng = createPrng(20_261_129);
beforeAll(async () => {
  world = await ChaosStack.start();
});
afterAll(() => world?.stop());

describe('a fault in the middle of load of all kinds', () => {
  it.each(CHOSEN)('%s: nothing acknowledged is lost, and nothing happens twice', async (name) => {
    const fault = FAULTS.find(({ kind, part }) => `${kind} ${part}` === name)!;
    const result = await runFault(world, fault, { seconds: SECONDS, prng, name: name.replaceAll(' ', '-') });
    expect(result.problems, JSON.stringify(result)).toEqual([]);
    if (result.notRun !== undefined) return;
    expect(result.predictions).toBeGreaterThan(10);
    expect(result.events).toBeGreaterThan(0);
  });
});
