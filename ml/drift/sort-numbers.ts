/** Below this many numbers the engine's own sort is faster than passes over all of them. */
const LEAST_NUMBERS = 4096;
const BITS = 11;
const BUCKETS = 1 << BITS;
const PASSES = 6;

/**
 * Sorts numbers in place, without NaN, -0 before 0: six passes over eleven bits each, the least significant first (the radix sort of
 * Hollerith's cards, on the bits of a double made monotone by turning negative ones over; Herf, "Radix tricks", 2001). Large samples of a
 * column are sorted in about half the time of `Float64Array.prototype.sort`.
 * @returns the same array
 */
export function sortNumbers(values: Float64Array): Float64Array {
  const n = values.length;
  if (n < LEAST_NUMBERS) return values.sort();
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * n);
  makeMonotone(words);
  const counts = countDigits(words);
  let from: Uint32Array = words;
  let to: Uint32Array = new Uint32Array(2 * n);
  for (let pass = 0; pass < PASSES; pass++) {
    const starts = counts.subarray(pass * BUCKETS, (pass + 1) * BUCKETS);
    // All numbers have the same digit: of small whole numbers most passes are of this kind.
    if (starts.includes(n)) continue;
    let sum = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = starts[bucket]!;
      starts[bucket] = sum;
      sum += count;
    }
    MOVES[pass]!(from, to, starts);
    [from, to] = [to, from];
  }
  if (from !== words) words.set(from);
  restore(words);
  return values;
}

/** Positive numbers get the highest bit, negative ones are turned over, so that unsigned whole numbers sort as the doubles do. */
function makeMonotone(words: Uint32Array): void {
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at + 1]!;
    const mask = -(high >>> 31);
    words[at] = words[at]! ^ mask;
    words[at + 1] = high ^ (mask | 0x8000_0000);
  }
}

function restore(words: Uint32Array): void {
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at + 1]!;
    const mask = (high >>> 31) - 1;
    words[at] = words[at]! ^ mask;
    words[at + 1] = high ^ (mask | 0x8000_0000);
  }
}

/** How often each digit is there, for all passes at once. */
function countDigits(words: Uint32Array): Uint32Array {
  const counts = new Uint32Array(PASSES * BUCKETS);
  for (let at = 0; at < words.length; at += 2) {
    const low = words[at]!;
    const high = words[at + 1]!;
    counts[low & 2047]!++;
    counts[BUCKETS + ((low >>> 11) & 2047)]!++;
    counts[2 * BUCKETS + (((low >>> 22) | (high << 10)) & 2047)]!++;
    counts[3 * BUCKETS + ((high >>> 1) & 2047)]!++;
    counts[4 * BUCKETS + ((high >>> 12) & 2047)]!++;
    counts[5 * BUCKETS + (high >>> 23)]!++;
  }
  return counts;
}

type Move = (from: Uint32Array, to: Uint32Array, starts: Uint32Array) => void;

/** One loop for each digit: a loop that asks which digit it is takes twice as long. */
const MOVES: readonly Move[] = [
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[from[at]! & 2047]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[(from[at]! >>> 11) & 2047]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[((from[at]! >>> 22) | (from[at + 1]! << 10)) & 2047]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[(from[at + 1]! >>> 1) & 2047]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[(from[at + 1]! >>> 12) & 2047]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
  (from, to, starts) => {
    for (let at = 0; at < from.length; at += 2) {
      const place = 2 * starts[from[at + 1]! >>> 23]!++;
      to[place] = from[at]!;
      to[place + 1] = from[at + 1]!;
    }
  },
];
