import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Scorer } from './scorer.js';

const ANSWERS = 500;
const MOST_MS = 40;
/** Requests to the version that still has the traffic wait no longer than this. */
const MOST_MS_AT_A_TIME = 2;

/**
 * Lets a new version answer its golden rows again and again before it answers anybody: the first answers of a model are many times
 * slower than the later ones, until its code is compiled and its arrays are in the caches of the processor.
 */
export async function warmUp(scorer: Scorer): Promise<void> {
  const { golden } = scorer.bundle.manifest;
  const untilMs = performance.now() + MOST_MS;
  let sliceMs = performance.now();
  for (let answer = 0; answer < ANSWERS && performance.now() < untilMs; answer++) {
    scorer.predict(golden[answer % golden.length]!.input);
    if (performance.now() - sliceMs < MOST_MS_AT_A_TIME) continue;
    await nextTurn();
    sliceMs = performance.now();
  }
}
