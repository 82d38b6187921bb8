import { byItem } from './interactions.js';
import type { Interactions } from './interactions.js';
import type { ItemWeights } from './item-weights.js';
import { ItemWeightsBuilder } from './item-weights.js';

export interface ItemNeighboursParameters {
  /** Neighbours kept for each item, 1 or more. */
  neighbours: number;
  /** Added to the denominator of the cosine, 0 or more: what rests on few common users counts less. */
  shrinkage: number;
}

/** Of a user with more items than this only the latest count: pairs grow with the square, and such users tell little. */
const MOST_OF_A_USER = 1000;

/**
 * Item-based collaborative filtering (Deshpande and Karypis 2004): the weight between two items is the cosine of their columns,
 * `Σ w_ui w_uj / (√Σ w_ui² √Σ w_uj² + shrinkage)`.
 * @throws RangeError for parameters out of range
 */
export function fitItemNeighbours(interactions: Interactions, parameters: ItemNeighboursParameters): ItemWeights {
  const { neighbours, shrinkage } = parameters;
  if (!(Number.isInteger(neighbours) && neighbours >= 1))
    throw new RangeError(`neighbours must be a whole number from 1 on, got ${neighbours}`);
  if (!(shrinkage >= 0 && shrinkage < Infinity))
    throw new RangeError(`shrinkage must be a number from 0 on, got ${shrinkage}`);
  const { items, offsets, item, weight } = interactions;
  const columns = byItem(interactions);
  const norms = new Float64Array(items);
  for (let at = 0; at < item.length; at++) norms[item[at]!]! += weight[at]! ** 2;
  const builder = new ItemWeightsBuilder(items, neighbours);
  const products = new Float64Array(items);
  const touched = new Int32Array(items);
  for (let i = 0; i < items; i++) {
    let count = 0;
    for (let at = columns.offsets[i]!; at < columns.offsets[i + 1]!; at++) {
      const user = columns.user[at]!;
      const own = columns.weight[at]!;
      const end = offsets[user + 1]!;
      for (let entry = Math.max(offsets[user]!, end - MOST_OF_A_USER); entry < end; entry++) {
        const other = item[entry]!;
        if (products[other] === 0) touched[count++] = other;
        products[other]! += own * weight[entry]!;
      }
    }
    const row = touched.subarray(0, count);
    const cosine = (j: number): number => (j === i ? 0 : products[j]! / (Math.sqrt(norms[i]! * norms[j]!) + shrinkage));
    builder.addRow(row, cosine);
    for (const j of row) products[j] = 0;
  }
  return builder.build();
}
