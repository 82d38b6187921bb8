/**
 * A seeded source of random numbers: xoshiro128** (Blackman and Vigna, 2018), seeded through splitmix32 from a seed and
 * the name of a stream. The same seed and name give the same numbers on every machine; other names give unrelated ones, so
 * that each user, series and purpose has a stream of its own and no part of the simulation shifts another.
 */
export class RandomSource {
  readonly #state = new Uint32Array(4);

  /** @param seed any safe integer @param stream names that together identify the stream, such as `'life', 17` */
  constructor(seed: number, ...stream: readonly (string | number)[]) {
    let hash = hashText(`${seed}/${stream.join('/')}`);
    for (let i = 0; i < 4; i += 1) {
      hash = (hash + 0x9e3779b9) | 0;
      let word = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      this.#state[i] = (word ^ (word >>> 15)) >>> 0;
    }
  }

  /** 32 random bits, 0..2^32-1. */
  next32(): number {
    const s = this.#state as unknown as [number, number, number, number];
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Uniform in [0, 1), on a grid of 2^-32. */
  uniform(): number {
    return this.next32() / 4_294_967_296;
  }

  /** Uniform integer in 0..bound-1. */
  below(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Poisson with a mean of 0..50, by multiplying uniforms. */
  poisson(mean: number): number {
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.uniform(); product > limit; product *= this.uniform()) count += 1;
    return count;
  }

  /** The index of one of the weights (0 or more, with a sum above 0), in proportion to them. */
  weighted(weights: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < weights.length; i += 1) total += weights[i] ?? 0;
    let rest = this.uniform() * total;
    for (let i = 0; i < weights.length; i += 1) {
      rest -= weights[i] ?? 0;
      if (rest < 0) return i;
    }
    return weights.length - 1;
  }
}

/** FNV-1a over UTF-16 units, 32 bits, with a final mix. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
