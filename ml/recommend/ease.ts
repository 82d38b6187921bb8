import { invertSymmetric } from './cholesky.js';
import type { Interactions } from './interactions.js';
import type { ItemWeights } from './item-weights.js';
import { ItemWeightsBuilder } from './item-weights.js';

export interface EaseParameters {
  /** The ridge penalty λ, above 0; 20 to 1,000 is usual. */
  lambda: number;
  /** A user's row counts as `(number of items)^-exponent`, 0 to 1, so that a few who take everything do not outweigh the rest. */
  userExponent: number;
  /** Only so many items take part, the most taken first: time grows with the cube, memory with the square (8 bytes each). */
  mostItems: number;
  /** Weights kept of each item's row, the largest in size. */
  keep: number;
}

/** λ = 100, no weights for users, 5,000 items (about a minute and 200 MB), and 500 weights of each. */
export const DEFAULT_EASE: EaseParameters = { lambda: 100, userExponent: 0, mostItems: 5000, keep: 500 };

/**
 * EASE^R (Steck 2019): the item weights B without a diagonal that minimise `‖X - XB‖² + λ‖B‖²`, in closed form:
 * with `P = (XᵀX + λI)⁻¹`, `B[h][j] = -P[h][j] / P[j][j]`. Users are weighted so that the weights are 1 on average.
 * @throws RangeError for parameters out of range
 */
export function fitEase(interactions: Interactions, parameters: Partial<EaseParameters> = {}): ItemWeights {
  const { lambda, userExponent, mostItems, keep } = { ...DEFAULT_EASE, ...parameters };
  if (!(lambda > 0 && lambda < Infinity)) throw new RangeError(`lambda must be above 0, got ${lambda}`);
  if (!(userExponent >= 0 && userExponent <= 1))
    throw new RangeError(`userExponent must be from 0 to 1, got ${userExponent}`);
  for (const [name, value] of Object.entries({ mostItems, keep }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new RangeError(`${name} must be a whole number from 1 on, got ${value}`);
  const chosen = mostTaken(interactions, mostItems);
  const n = chosen.length;
  const matrix = gramMatrix(interactions, chosen, userExponent);
  for (let i = 0; i < n; i++) matrix[i * n + i]! += lambda;
  invertSymmetric(matrix, n);
  const placeOf = new Int32Array(interactions.items).fill(-1);
  chosen.forEach((item, place) => (placeOf[item] = place));
  const builder = new ItemWeightsBuilder(interactions.items, keep);
  const none = new Int32Array(0);
  for (let item = 0; item < interactions.items; item++) {
    const row = placeOf[item]!;
    if (row < 0) builder.addRow(none, () => 0);
    else
      builder.addRow(chosen.slice(), (other) => {
        const j = placeOf[other]!;
        return j === row ? 0 : -matrix[row * n + j]! / matrix[j * n + j]!;
      });
  }
  return builder.build();
}

/** The items that most users took, at most `most` of them, ascending; those that nobody took are left out. */
function mostTaken({ items, item }: Interactions, most: number): Int32Array {
  const counts = new Int32Array(items);
  for (const i of item) counts[i]!++;
  const taken = Int32Array.from(counts.keys()).filter((i) => counts[i]! > 0);
  return taken
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most)
    .sort();
}

/** The lower triangle of `Xᵀ S X` over the chosen items, S the weights of the users. */
function gramMatrix(interactions: Interactions, chosen: Int32Array, userExponent: number): Float64Array {
  const { users, items, offsets, item, weight } = interactions;
  const n = chosen.length;
  const placeOf = new Int32Array(items).fill(-1);
  chosen.forEach((i, place) => (placeOf[i] = place));
  const userWeight = new Float64Array(users);
  let total = 0;
  let active = 0;
  for (let user = 0; user < users; user++) {
    const count = offsets[user + 1]! - offsets[user]!;
    if (count === 0) continue;
    userWeight[user] = count ** -userExponent;
    total += userWeight[user]!;
    active++;
  }
  const matrix = new Float64Array(n * n);
  for (let user = 0; user < users; user++) {
    const scale = (userWeight[user]! * active) / total;
    for (let at = offsets[user]!; at < offsets[user + 1]!; at++) {
      const row = placeOf[item[at]!]!;
      if (row < 0) continue;
      const own = scale * weight[at]!;
      for (let other = offsets[user]!; other < offsets[user + 1]!; other++) {
        const column = placeOf[item[other]!]!;
        if (column >= 0 && column <= row) matrix[row * n + column]! += own * weight[other]!;
      }
    }
  }
  return matrix;
}
