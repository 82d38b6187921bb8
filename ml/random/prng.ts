/** A stream of pseudo-random numbers that depends on nothing but its seeds. */
export interface Prng {
  /** A double in [0, 1) with 53 random bits. */
  next(): number;
  /** A whole number in [0, n), for 1 <= n <= 2^32. The bias of the multiply-shift method is below n / 2^32. */
  nextInt(n: number): number;
  /** A standard normal deviate (Marsaglia's polar method). */
  nextGaussian(): number;
}

/** sfc32 (C. Doty-Humphrey, PractRand): 128 bits of state, a period of at least 2^32, about a nanosecond a number. */
class Sfc32 implements Prng {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;
  private spareGaussian = NaN;

  constructor(a: number, b: number, c: number) {
    this.a = a | 0;
    this.b = b | 0;
    this.c = c | 0;
    for (let i = 0; i < 12; i++) this.nextInt32();
  }

  private nextInt32(): number {
    const result = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + result) | 0;
    return result;
  }

  next(): number {
    const high = this.nextInt32() >>> 5;
    const low = this.nextInt32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  nextInt(n: number): number {
    return Math.floor((this.nextInt32() >>> 0) * 2.3283064365386963e-10 * n);
  }

  nextGaussian(): number {
    if (!Number.isNaN(this.spareGaussian)) {
      const spare = this.spareGaussian;
      this.spareGaussian = NaN;
      return spare;
    }
    for (;;) {
      const u = 2 * this.next() - 1;
      const v = 2 * this.next() - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s);
        this.spareGaussian = v * scale;
        return u * scale;
      }
    }
  }
}

/** splitmix32's finaliser (the one of MurmurHash3): turns nearby seeds into unrelated states. */
function mix32(value: number): number {
  let z = value | 0;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) | 0;
}

/**
 * Makes the generator that belongs to `seed` and to a path of stream numbers: `createPrng(7, 3)` and `createPrng(7, 4)`
 * are unrelated, and each is the same on every machine. All numbers must be whole and within ±2^53.
 * @throws RangeError for a seed or stream number that is not a safe integer
 */
export function createPrng(seed: number, ...stream: number[]): Prng {
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = 0xb7e15162 | 0;
  const path = [seed, ...stream];
  for (const part of path) {
    if (!Number.isSafeInteger(part))
      throw new RangeError(`seeds must be whole numbers within ±2^53, got ${part}: round it first`);
    const low = part | 0;
    const high = Math.floor(part / 4294967296) | 0;
    a = mix32((a + low + 0x9e3779b9) | 0);
    b = mix32((b ^ a) + high);
    c = mix32((c + Math.imul(b, 0x2545f491)) ^ a);
  }
  return new Sfc32(a, b, mix32(c + path.length));
}

/** Shuffles a list in place (Fisher-Yates) and returns it. */
export function shuffle<T extends { length: number; [index: number]: unknown }>(list: T, prng: Prng): T {
  const items = list as { [index: number]: unknown };
  for (let i = list.length - 1; i > 0; i--) {
    const j = prng.nextInt(i + 1);
    const held = items[i];
    items[i] = items[j];
    items[j] = held;
  }
  return list;
}
