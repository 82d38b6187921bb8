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

const RANGE_DIGITS = 8;
/** Characters of every id. */
export const ID_LENGTH = 37;

/** What the ids of the rows of one call begin with: the time, and 12 hexadecimal digits of chance; the row makes the rest. */
export function newIdRange(createdMs: number): string {
  return newPredictionId(createdMs).slice(0, -RANGE_DIGITS);
}

export const idInRange = (prefix: string, row: number): string => prefix + row.toString(16).padStart(RANGE_DIGITS, '0');

/** The ids of rows 0 to `rows`, one behind the other. */
export function writeIdRange(prefix: string, rows: number): Uint8Array {
  const bytes = new Uint8Array(ID_LENGTH * rows);
  const start = Buffer.from(prefix, 'latin1');
  const digits = Buffer.from('0123456789abcdef', 'latin1');
  for (let row = 0, at = 0; row < rows; row++) {
    bytes.set(start, at);
    at += ID_LENGTH;
    for (let digit = 1, rest = row; digit <= RANGE_DIGITS; digit++, rest >>>= 4) bytes[at - digit] = digits[rest & 15]!;
  }
  return bytes;
}
