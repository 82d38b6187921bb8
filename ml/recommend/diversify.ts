import { attributeSimilarity } from './item-attributes.js';
import { weightBetween } from './item-weights.js';
import type { Recommender } from './recommender.js';

/** How a list is kept from being more of the same. */
export interface Diversity {
  /**
   * λ of maximal marginal relevance, 0 to 1: 0 keeps the order of the scores, 1 looks only at how unlike the chosen ones an
   * item is. 0.2 to 0.3 breaks up lists of near doubles at little cost.
   */
  strength?: number;
  /** At most so many items that carry the same attribute, 1 or more. */
  mostPerAttribute?: number;
}

/** Candidates that are looked at for each place in the list: those further down score too little to be worth it. */
const CANDIDATES_PER_PLACE = 5;

/** How many of the best items have to be ranked to fill a list of `limit` with this diversity. */
export function candidatesFor(limit: number, diversity: Diversity | undefined): number {
  return diversity?.strength || diversity?.mostPerAttribute ? CANDIDATES_PER_PLACE * limit + 50 : limit;
}

/**
 * Picks a list by maximal marginal relevance (Carbonell and Goldstein 1998): each place goes to the item with the largest
 * `(1 - λ) score / (best score) - λ (its largest similarity to an item chosen before)`. The similarity, 0 to 1, is the cosine
 * of the attributes where the model has them, else the weight between the items over the largest of the row.
 * @param candidates items in descending order of their scores
 * @throws RangeError for settings out of range
 */
export function diversify(
  model: Recommender,
  candidates: readonly number[],
  scores: Float64Array,
  limit: number,
  { strength = 0, mostPerAttribute = Infinity }: Diversity,
): number[] {
  if (!(strength >= 0 && strength <= 1)) throw new RangeError(`the diversity must be from 0 to 1, got ${strength}`);
  if (!(mostPerAttribute >= 1)) throw new RangeError(`mostPerAttribute must be 1 or more, got ${mostPerAttribute}`);
  const best = Math.max(...candidates.map((item) => scores[item]!), 1e-12);
  const nearest = new Float64Array(candidates.length);
  const isTaken = new Uint8Array(candidates.length);
  const counts = new Map<number, number>();
  const list: number[] = [];
  while (list.length < limit) {
    let pick = -1;
    let most = -Infinity;
    for (let c = 0; c < candidates.length; c++) {
      if (isTaken[c] === 1 || isFull(model, candidates[c]!, counts, mostPerAttribute)) continue;
      const worth = ((1 - strength) * scores[candidates[c]!]!) / best - strength * nearest[c]!;
      if (worth > most) [pick, most] = [c, worth];
    }
    if (pick < 0) break;
    isTaken[pick] = 1;
    const item = candidates[pick]!;
    list.push(item);
    for (const attribute of attributesOf(model, item)) counts.set(attribute, (counts.get(attribute) ?? 0) + 1);
    if (strength > 0)
      for (let c = 0; c < candidates.length; c++)
        nearest[c] = Math.max(nearest[c]!, itemSimilarity(model, item, candidates[c]!));
  }
  return list;
}

function attributesOf({ attributes }: Recommender, item: number): Int32Array {
  return attributes
    ? attributes.attribute.subarray(attributes.offsets[item], attributes.offsets[item + 1])
    : new Int32Array(0);
}

function isFull(model: Recommender, item: number, counts: Map<number, number>, most: number): boolean {
  return most < Infinity && attributesOf(model, item).some((attribute) => (counts.get(attribute) ?? 0) >= most);
}

/** How alike two items are, 0 to 1. */
function itemSimilarity({ attributes, preference }: Recommender, a: number, b: number): number {
  if (attributes) return attributeSimilarity(attributes, a, b);
  if (preference.kind === 'weights') {
    const { offsets, weight } = preference.weights;
    let most = 0;
    for (let at = offsets[a]!; at < offsets[a + 1]!; at++) most = Math.max(most, weight[at]!);
    return most > 0 ? Math.max(0, weightBetween(preference.weights, a, b) / most) : 0;
  }
  if (preference.kind === 'none') return 0;
  const { factors: f, values } = preference.factors;
  let [product, ofA, ofB] = [0, 0, 0];
  for (let k = 0; k < f; k++) {
    product += values[a * f + k]! * values[b * f + k]!;
    ofA += values[a * f + k]! ** 2;
    ofB += values[b * f + k]! ** 2;
  }
  return ofA > 0 && ofB > 0 ? Math.max(0, product / Math.sqrt(ofA * ofB)) : 0;
}
