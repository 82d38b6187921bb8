import { randomFillSync } from 'node:crypto';

const RANDOM_BYTES = 10;
const DRAWN_AT_ONCE = 400;
const drawn = Buffer.alloc(RANDOM_BYTES * DRAWN_AT_ONCE);
let used = DRAWN_AT_ONCE;

/**
 * A new id: `pred_`, 12 hexadecimal digits of the time in milliseconds, 20 of chance. Ids made later sort later, which keeps the
 * index of the log small, and the id itself says in which partition its row lies.
 */
export function newPredictionId(createdMs: number): string {
  if (used === DRAWN_AT_ONCE) {
    randomFillSync(drawn);
    used = 0;
  }
  const at = RANDOM_BYTES * used++;
  return `pred_${createdMs.toString(16).padStart(12, '0')}${drawn.toString('hex', at, at + RANDOM_BYTES)}`;
}

/** When the prediction with this id was made, or undefined for a text that is no such id. */
export function createdAtOf(id: string): Date | undefined {
  const digits = /^pred_([0-9a-f]{12})[0-9a-f]{20}$/.exec(id)?.[1];
  return digits === undefined ? undefined : new Date(Number.parseInt(digits, 16));
}
