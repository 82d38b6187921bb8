/** Codes of categories that keep a bin of their own; all others count as missing. */
const MOST_CODES = 254;

/** Whether a value is a category code that has a bin of its own. */
export function isCode(value: number): boolean {
  return value >= 0 && value < MOST_CODES && Math.floor(value) === value;
}

/** Whether a code is in the set of 256 bits that begins at a word. */
export function hasCode(words: Uint32Array, at: number, code: number): boolean {
  return ((words[at + (code >> 5)]! >>> (code & 31)) & 1) === 1;
}
