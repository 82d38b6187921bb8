import { applyIsotonic } from '../calibrate/isotonic.js';
import type { Diversity } from './diversify.js';
import { candidatesFor, diversify } from './diversify.js';
import type { Exploration } from './explore-list.js';
import { exploreList } from './explore-list.js';
import type { History, WeighedHistory } from './history.js';
import { weighHistory } from './history.js';
import { attributeSimilarity } from './item-attributes.js';
import type { ItemScorer, Recommender } from './recommender.js';
import { topItems } from './top-items.js';

/** Why an item was recommended: the largest part of its score. */
export type RecommendReason =
  | { kind: 'because_of_item'; item: number }
  | { kind: 'similar_content'; item: number }
  | { kind: 'popular' }
  | { kind: 'popular_new_user' }
  | { kind: 'exploration' };

export interface Recommendation {
  item: number;
  /** 0 to 1: about how likely this is the user's next item (see `RecommenderReport` for how it was measured). */
  score: number;
  reason: RecommendReason;
  /** The chance that its place had of holding it; 1 without exploration. */
  propensity: number;
}

export interface RecommendOptions {
  /** Length of the list, 1 or more; shorter where there are not enough items. */
  limit: number;
  /** Indices of items that must not be in the list, besides those of the history. */
  exclude?: Iterable<number>;
  /** Only items that carry all of these attributes. */
  attributes?: readonly number[];
  /** True lets items of the history appear again. Default false. */
  includeSeen?: boolean;
  diversity?: Diversity;
  /** Items that are drawn are in no order of scores, and diversity does not look at them. Default none. */
  exploration?: Exploration;
}

/**
 * Recommends items to the owner of a history, who need not have been there when the model was trained. A history that is empty,
 * or holds only unknown items, gets the most popular ones, and the reason says so.
 * @param scorer made for `model`; its arrays are overwritten
 * @throws RangeError for options out of range
 */
export function recommendItems(
  model: Recommender,
  scorer: ItemScorer,
  history: History,
  options: RecommendOptions,
): Recommendation[] {
  const { limit, diversity, exploration } = options;
  if (!(Number.isInteger(limit) && limit >= 1))
    throw new RangeError(`limit must be a whole number from 1 on, got ${limit}`);
  const weighed = weighHistory(history, model.reading, model.items);
  scorer.score(weighed);
  const { scores } = scorer;
  removeItems(model, weighed, options, scores);
  let total = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! > 0) total += scores[i]!;
  const ranked = topItems(scores, Math.min(model.items, candidatesFor(limit, diversity)));
  const list = diversity ? diversify(model, ranked, scores, limit, diversity) : ranked;
  const places = exploration
    ? exploreList(list, scores, exploration)
    : list.map((item) => ({ item, propensity: 1, isExplored: false }));
  return places.map(({ item, propensity, isExplored }) => ({
    item,
    score: chanceOf(model, weighed, total > 0 ? Math.max(0, scores[item]!) / total : 0),
    reason: isExplored ? { kind: 'exploration' } : explain(model, scorer, weighed, item),
    propensity,
  }));
}

/** Puts the items that may not be in the list out of reach. */
function removeItems(
  model: Recommender,
  history: WeighedHistory,
  { exclude = [], attributes = [], includeSeen = false }: RecommendOptions,
  scores: Float64Array,
): void {
  if (!includeSeen) for (const item of history.items) scores[item] = -Infinity;
  for (const item of exclude) if (item >= 0 && item < scores.length) scores[item] = -Infinity;
  for (const attribute of attributes) {
    const known = model.attributes;
    for (let i = 0; i < scores.length; i++) {
      const has = known?.attribute.subarray(known.offsets[i], known.offsets[i + 1]).includes(attribute);
      if (!has) scores[i] = -Infinity;
    }
  }
}

/** For someone unknown an item's share of all that is taken is the chance itself: nothing else is known. */
function chanceOf({ calibration }: Recommender, history: WeighedHistory, share: number): number {
  return calibration && history.items.length > 0 ? applyIsotonic(calibration, share) : share;
}

function explain(model: Recommender, scorer: ItemScorer, history: WeighedHistory, item: number): RecommendReason {
  if (history.items.length === 0) return { kind: 'popular_new_user' };
  const taste = scorer.preferencePart(item);
  const popular = model.popularityWeight * model.popularity[item]!;
  const content = scorer.contentPart(item);
  if (taste > 0 && taste >= popular && taste >= content) {
    const entry = largestEntry(history, (h) => scorer.contribution(h, item));
    if (entry >= 0) return { kind: 'because_of_item', item: history.items[entry]! };
  }
  const { attributes } = model;
  if (attributes && content > 0 && content >= popular) {
    const entry = largestEntry(
      history,
      (h) => history.weights[h]! * attributeSimilarity(attributes, history.items[h]!, item),
    );
    if (entry >= 0) return { kind: 'similar_content', item: history.items[entry]! };
  }
  return { kind: 'popular' };
}

/** The entry with the largest contribution above 0, of equal ones the latest; -1 where there is none. */
function largestEntry(history: WeighedHistory, contribution: (entry: number) => number): number {
  let [best, most] = [-1, 0];
  for (let h = 0; h < history.items.length; h++) {
    const value = contribution(h);
    if (value > 0 && value >= most) [best, most] = [h, value];
  }
  return best;
}
