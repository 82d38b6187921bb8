import { createPrng } from '../random/prng.js';

/** Bits of a coordinate, and so the logarithm of how many points there are. */
const BITS = 32;

/**
 * Dimensions 2 to 64 of the direction numbers "new-joe-kuo-6" (S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better
 * two-dimensional projections", SIAM J. Sci. Comput. 30, 2008): a primitive polynomial over GF(2) with all its bits, then the
 * first direction numbers.
 */
const DIRECTIONS = `
  3:1 7:1,3 11:1,3,1 13:1,1,1 19:1,1,3,3 25:1,3,5,13 37:1,1,5,5,17 41:1,1,5,5,5 47:1,1,7,11,19 55:1,1,5,1,1
  59:1,1,1,3,11 61:1,3,5,5,31 67:1,3,3,9,7,49 91:1,1,1,15,21,21 97:1,3,1,13,27,49 103:1,1,1,15,7,5
  109:1,3,1,15,13,25 115:1,1,5,5,19,61 131:1,3,7,11,23,15,103 137:1,3,7,13,13,15,69 143:1,1,3,13,7,35,63
  145:1,3,5,9,1,25,53 157:1,3,1,13,9,35,107 167:1,3,1,5,27,61,31 171:1,1,5,11,19,41,61 185:1,3,5,3,3,13,69
  191:1,1,7,13,1,19,1 193:1,3,7,5,13,19,59 203:1,1,3,9,25,29,41 211:1,3,5,13,23,1,55 213:1,3,7,3,13,59,17
  229:1,3,1,3,5,53,69 239:1,1,5,5,23,33,13 241:1,1,7,7,1,61,123 247:1,1,7,9,13,61,49 253:1,3,3,5,3,55,33
  285:1,3,1,15,31,13,49,245 299:1,3,5,15,31,59,63,97 301:1,3,1,11,11,11,77,249 333:1,3,1,11,27,43,71,9
  351:1,1,7,15,21,11,81,45 355:1,3,7,3,25,31,65,79 357:1,3,1,1,19,11,3,205 361:1,1,5,9,19,21,29,157
  369:1,3,7,11,1,33,89,185 391:1,3,3,3,15,9,79,71 397:1,3,7,11,15,39,119,27 425:1,1,3,1,11,31,97,225
  451:1,1,1,3,23,43,57,177 463:1,3,7,7,17,17,37,71 487:1,3,1,5,27,63,123,213 501:1,1,3,5,11,43,53,133
  529:1,3,5,5,29,17,47,173,479 539:1,3,3,11,3,1,109,9,69 545:1,1,1,5,17,39,23,5,343 557:1,3,1,5,25,15,31,103,499
  563:1,1,1,11,11,17,63,105,183 601:1,1,5,11,9,29,97,231,363 607:1,1,5,15,19,45,41,7,383
  617:1,3,7,7,31,19,83,137,221 623:1,1,1,3,23,15,111,223,83 631:1,1,5,13,31,15,55,25,161
  637:1,1,3,13,25,47,39,87,257
`;

/** Dimensions the sequence has. */
export const SOBOL_DIMENSIONS = 64;

/**
 * The Sobol sequence (I. M. Sobol 1967) in the order of the Gray code: its first 2^m points fill the unit cube far more evenly than
 * random ones. With a seed it is scrambled by a random lower triangular matrix of bits a dimension and a random shift of bits
 * (J. Matoušek 1998), which keeps that and makes the mean over points unbiased.
 */
export class SobolSequence {
  private readonly directions: Uint32Array;
  private readonly shifts: Uint32Array;

  /**
   * @param dimensions 1 to 64
   * @param seed without one the points are the plain ones, of which the first is the origin
   * @throws RangeError for another number of dimensions
   */
  constructor(
    readonly dimensions: number,
    seed?: number,
  ) {
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > SOBOL_DIMENSIONS)
      throw new RangeError(`a Sobol sequence has 1 to ${SOBOL_DIMENSIONS} dimensions, got ${dimensions}`);
    this.directions = directionNumbers(dimensions);
    this.shifts = new Uint32Array(dimensions);
    if (seed !== undefined) this.scramble(seed);
  }

  /**
   * @param index from 0 to 2^32 - 1
   * @returns a point of [0, 1) in each dimension
   */
  at(index: number): Float64Array {
    if (!Number.isInteger(index) || index < 0 || index > 0xffff_ffff)
      throw new RangeError(`a Sobol sequence has points 0 to 2^32 - 1, got ${index}`);
    const gray = (index ^ (index >>> 1)) >>> 0;
    const point = new Float64Array(this.dimensions);
    for (let d = 0; d < this.dimensions; d++) {
      let bits = this.shifts[d]!;
      for (let k = 0; k < BITS; k++) if ((gray >>> k) & 1) bits ^= this.directions[d * BITS + k]!;
      point[d] = (bits >>> 0) / 2 ** BITS;
    }
    return point;
  }

  private scramble(seed: number): void {
    for (let d = 0; d < this.dimensions; d++) {
      const prng = createPrng(seed, 0x736f62, d);
      const word = (): number => Math.floor(prng.next() * 2 ** BITS);
      this.shifts[d] = word();
      // Row r of the matrix makes bit r (from the top) of a scrambled number from the bits above it and from bit r itself.
      const rows = Uint32Array.from({ length: BITS }, (_, r) => {
        const above = r === 0 ? 0 : (0xffff_ffff << (BITS - r)) >>> 0;
        return ((word() & above) | (1 << (BITS - 1 - r))) >>> 0;
      });
      for (let k = 0; k < BITS; k++) {
        const plain = this.directions[d * BITS + k]!;
        let mixed = 0;
        for (let r = 0; r < BITS; r++) mixed |= parity(rows[r]! & plain) << (BITS - 1 - r);
        this.directions[d * BITS + k] = mixed;
      }
    }
  }
}

function parity(bits: number): number {
  let folded = bits ^ (bits >>> 16);
  folded ^= folded >>> 8;
  folded ^= folded >>> 4;
  folded ^= folded >>> 2;
  return (folded ^ (folded >>> 1)) & 1;
}

/** `[dimension * BITS + bit]`, aligned to the top bit. */
function directionNumbers(dimensions: number): Uint32Array {
  const numbers = new Uint32Array(dimensions * BITS);
  for (let k = 0; k < BITS; k++) numbers[k] = 1 << (BITS - 1 - k);
  const table = DIRECTIONS.trim().split(/\s+/);
  for (let d = 1; d < dimensions; d++) {
    const [polynomial, list] = table[d - 1]!.split(':');
    fillDirections(numbers.subarray(d * BITS, (d + 1) * BITS), Number(polynomial), list!.split(',').map(Number));
  }
  return numbers;
}

function fillDirections(out: Uint32Array, polynomial: number, first: readonly number[]): void {
  const degree = first.length;
  first.forEach((number, k) => (out[k] = number << (BITS - 1 - k)));
  for (let k = degree; k < BITS; k++) {
    let next = out[k - degree]! ^ (out[k - degree]! >>> degree);
    for (let j = 1; j < degree; j++) if ((polynomial >>> (degree - j)) & 1) next ^= out[k - j]!;
    out[k] = next;
  }
}
