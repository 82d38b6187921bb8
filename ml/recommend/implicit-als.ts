import { createPrng } from '../random/prng.js';
import { byItem } from './interactions.js';
import type { Interactions } from './interactions.js';

export interface ImplicitAlsParameters {
  /** Length of the vectors of users and items, 1 to 512. */
  factors: number;
  /** The penalty λ on the squared length of every vector, above 0. */
  regularization: number;
  /** An interaction of weight w has the confidence `1 + alpha * w` against 1 of its absence; above 0. */
  alpha: number;
  iterations: number;
  seed: number;
}

/** Vectors of items, and what is needed to find the vector of any history. */
export interface ItemFactors {
  readonly items: number;
  readonly factors: number;
  /** `values[item * factors + k]`. */
  readonly values: Float32Array;
  readonly regularization: number;
  readonly alpha: number;
}

/** Steps of conjugate gradient in each half iteration: three come within noise of the exact solution (Takács et al. 2011). */
const STEPS = 3;

/**
 * Implicit-feedback matrix factorisation by alternating least squares (Hu, Koren and Volinsky 2008), each half iteration
 * solved by conjugate gradient. Time grows with `iterations * (interactions * factors + (users + items) * factors²)`.
 * @throws RangeError for parameters out of range
 */
export function fitImplicitAls(interactions: Interactions, parameters: ImplicitAlsParameters): ItemFactors {
  checkParameters(parameters);
  const { users, items } = interactions;
  const { factors, regularization, alpha, iterations, seed } = parameters;
  const byUser = { offsets: interactions.offsets, other: interactions.item, weight: interactions.weight };
  const columns = byItem(interactions);
  const byColumn = { offsets: columns.offsets, other: columns.user, weight: columns.weight };
  const ofUsers = new Float64Array(users * factors);
  const ofItems = new Float64Array(items * factors);
  // A stream an item, so that its first vector does not depend on how many items there are.
  for (let item = 0; item < items; item++) {
    const prng = createPrng(seed, 0x616c73, item);
    for (let k = 0; k < factors; k++) ofItems[item * factors + k] = (0.1 * prng.nextGaussian()) / Math.sqrt(factors);
  }
  for (let iteration = 0; iteration < iterations; iteration++) {
    solveSide(ofUsers, ofItems, byUser, parameters);
    solveSide(ofItems, ofUsers, byColumn, parameters);
  }
  return { items, factors, values: Float32Array.from(ofItems), regularization, alpha };
}

function checkParameters({ factors, regularization, alpha, iterations }: ImplicitAlsParameters): void {
  if (!(Number.isInteger(factors) && factors >= 1 && factors <= 512))
    throw new RangeError(`factors must be a whole number from 1 to 512, got ${factors}`);
  if (!(Number.isInteger(iterations) && iterations >= 1))
    throw new RangeError(`iterations must be a whole number from 1 on, got ${iterations}`);
  if (!(regularization > 0 && regularization < Infinity))
    throw new RangeError(`regularization must be above 0, got ${regularization}`);
  if (!(alpha > 0 && alpha < Infinity)) throw new RangeError(`alpha must be above 0, got ${alpha}`);
}

interface Side {
  offsets: Int32Array;
  other: Int32Array;
  weight: Float64Array;
}

/** Moves every vector of `own` towards `(YᵀY + λI + Σ αw y yᵀ) x = Σ (1 + αw) y`, y the vectors of what it is joined to. */
function solveSide(own: Float64Array, others: Float64Array, side: Side, parameters: ImplicitAlsParameters): void {
  const { factors: f, alpha } = parameters;
  const gram = gramOf(others, f);
  for (let k = 0; k < f; k++) gram[k * f + k]! += parameters.regularization;
  const residual = new Float64Array(f);
  const direction = new Float64Array(f);
  const image = new Float64Array(f);
  const rows = side.offsets.length - 1;
  for (let row = 0; row < rows; row++) {
    const x = own.subarray(row * f, row * f + f);
    const [start, end] = [side.offsets[row]!, side.offsets[row + 1]!];
    if (start === end) {
      x.fill(0);
      continue;
    }
    const apply = (v: Float64Array): void => {
      multiply(gram, v, image);
      for (let at = start; at < end; at++) addScaled(image, others, side.other[at]! * f, v, alpha * side.weight[at]!);
    };
    apply(x);
    for (let k = 0; k < f; k++) residual[k] = -image[k]!;
    for (let at = start; at < end; at++) {
      const from = side.other[at]! * f;
      const confidence = 1 + alpha * side.weight[at]!;
      for (let k = 0; k < f; k++) residual[k]! += confidence * others[from + k]!;
    }
    descend(x, residual, direction, image, apply);
  }
}

function descend(
  x: Float64Array,
  residual: Float64Array,
  direction: Float64Array,
  image: Float64Array,
  apply: (v: Float64Array) => void,
): void {
  direction.set(residual);
  let size = dot(residual, residual);
  for (let step = 0; step < STEPS && size > 1e-20; step++) {
    apply(direction);
    const length = size / dot(direction, image);
    for (let k = 0; k < x.length; k++) {
      x[k]! += length * direction[k]!;
      residual[k]! -= length * image[k]!;
    }
    const next = dot(residual, residual);
    for (let k = 0; k < x.length; k++) direction[k] = residual[k]! + (next / size) * direction[k]!;
    size = next;
  }
}

/** `YᵀY` of vectors that stand one after the other. */
export function gramOf(values: Float64Array | Float32Array, f: number): Float64Array {
  const gram = new Float64Array(f * f);
  for (let from = 0; from < values.length; from += f) {
    for (let k = 0; k < f; k++) {
      const value = values[from + k]!;
      if (value !== 0) for (let l = 0; l <= k; l++) gram[k * f + l]! += value * values[from + l]!;
    }
  }
  for (let k = 0; k < f; k++) for (let l = 0; l < k; l++) gram[l * f + k] = gram[k * f + l]!;
  return gram;
}

function multiply(matrix: Float64Array, v: Float64Array, out: Float64Array): void {
  const f = v.length;
  for (let k = 0; k < f; k++) {
    let sum = 0;
    for (let l = 0; l < f; l++) sum += matrix[k * f + l]! * v[l]!;
    out[k] = sum;
  }
}

/** `out += scale * y (y · v)`, y the vector at `from`. */
function addScaled(out: Float64Array, values: Float64Array, from: number, v: Float64Array, scale: number): void {
  let product = 0;
  for (let k = 0; k < v.length; k++) product += values[from + k]! * v[k]!;
  product *= scale;
  for (let k = 0; k < v.length; k++) out[k]! += product * values[from + k]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
