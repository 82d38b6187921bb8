/** Below this many numbers the engine's own sort is faster than passes over all of them. */
const LEAST_NUMBERS = 512;
const BITS = 11;
const BUCKETS = 1 << BITS;
/** The upper half of a double: its sign, its exponent and twenty bits of what follows. */
const UPPER_PASSES = 3;
const PASSES = 6;
/** Moves a number that put right what the upper halves left undone; more say that too many numbers share theirs. */
const MOST_MOVES = 2;

/**
 * Sorts numbers in place, without NaN, -0 before 0: passes over eleven bits each, the least significant first (the radix sort of Hollerith's
 * cards, on the bits of a double, where negative ones are turned over; Herf, "Radix tricks", 2001). The upper halves alone put
 * almost all numbers in order, and neighbours then change places; where many share an upper half, such as times in milliseconds, the lower halves
 * have their passes too. A fifth of the time of `Float64Array.prototype.sort` or less.
 * @returns the same array
 */
export function sortNumbers(values: Float64Array): Float64Array {
  if (values.length < LEAST_NUMBERS) return values.sort();
  const spare = new Float64Array(values.length);
  sortByDigits(values, spare, UPPER_PASSES);
  if (!settleNeighbours(values, MOST_MOVES * values.length)) sortByDigits(values, spare, 0);
  return values;
}

/** Sorts by the digits from `first` on. */
function sortByDigits(values: Float64Array, spare: Float64Array, first: number): void {
  const n = values.length;
  const counts = countDigits(wordsOf(values), first);
  let from = values;
  let to = spare;
  for (let pass = first; pass < PASSES; pass++) {
    const starts = counts.subarray(pass * BUCKETS, (pass + 1) * BUCKETS);
    // All numbers have the same digit: of small whole numbers most passes are of this kind.
    if (starts.includes(n)) continue;
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = starts[bucket]!;
      starts[bucket] = sum;
      sum += count;
    }
    MOVES[pass]!(from, wordsOf(from), to, starts);
    [from, to] = [to, from];
  }
  if (from !== values) values.set(from);
}

const wordsOf = (values: Float64Array) => new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);

/** Lets each number sink to its place. @returns false where that takes more than `moves`; the numbers are then all there in some order */
function settleNeighbours(values: Float64Array, moves: number): boolean {
  let left = moves;
  for (let at = 1; at < values.length; at++) {
    const value = values[at]!;
    let place = at;
    while (place > 0 && values[place - 1]! > value && left-- > 0) values[place] = values[--place]!;
    values[place] = value;
    if (left < 0) return false;
  }
  return true;
}

/** How often each digit is there, for all passes from `first` on at once. */
function countDigits(words: Uint32Array, first: number): Uint32Array {
  const counts = new Uint32Array(PASSES * BUCKETS);
  for (let at = 0; at < words.length; at += 2) {
    const high = upper(words, at);
    counts[3 * BUCKETS + (high & 2047)]!++;
    counts[4 * BUCKETS + ((high >>> 11) & 2047)]!++;
    counts[5 * BUCKETS + (high >>> 22)]!++;
    if (first >= UPPER_PASSES) continue;
    const low = lower(words, at);
    counts[low & 2047]!++;
    counts[BUCKETS + ((low >>> 11) & 2047)]!++;
    counts[2 * BUCKETS + (low >>> 22)]!++;
  }
  return counts;
}

/** Positive numbers get the highest bit, negative ones are turned over, so that unsigned whole numbers sort as the doubles do. */
const upper = (words: Uint32Array, at: number) => words[at + 1]! ^ (-(words[at + 1]! >>> 31) | 0x8000_0000);
const lower = (words: Uint32Array, at: number) => words[at]! ^ -(words[at + 1]! >>> 31);

type Move = (from: Float64Array, words: Uint32Array, to: Float64Array, starts: Uint32Array) => void;

/** One loop for each digit: a loop that asks which digit it is takes twice as long. */
const MOVES: readonly Move[] = [
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[lower(words, 2 * at) & 2047]!++] = from[at]!;
  },
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[(lower(words, 2 * at) >>> 11) & 2047]!++] = from[at]!;
  },
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[lower(words, 2 * at) >>> 22]!++] = from[at]!;
  },
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[upper(words, 2 * at) & 2047]!++] = from[at]!;
  },
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[(upper(words, 2 * at) >>> 11) & 2047]!++] = from[at]!;
  },
  (from, words, to, starts) => {
    for (let at = 0; at < from.length; at++) to[starts[upper(words, 2 * at) >>> 22]!++] = from[at]!;
  },
];
