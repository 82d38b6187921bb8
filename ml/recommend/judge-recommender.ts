import { fitIsotonic } from '../calibrate/isotonic.js';
import type { IsotonicCurve } from '../calibrate/isotonic.js';
import { bootstrapIntervals, resampledMean } from '../evaluate/bootstrap.js';
import type { Interval } from '../evaluate/bootstrap.js';
import { weighHistory } from './history.js';
import type { HoldOut } from './hold-out.js';
import { gainAt10, LIST_LENGTH, rankOf, recallAt10 } from './ranking-quality.js';
import type { Recommender } from './recommender.js';
import { ItemScorer } from './recommender.js';
import { topItems } from './top-items.js';

/** What a recommender did for users whose item was kept from it: the whole catalogue less what they have was ranked. */
export interface RecommenderJudgement {
  users: number;
  /** Places before each user's item (see `rankOf`). */
  ranks: Float64Array;
  recallAt10: number;
  ndcgAt10: number;
  /** Share of the catalogue that is in anyone's first ten. */
  coverage: number;
  /** One number an item: in how many users' first ten it is. */
  listed: Int32Array;
  intervals: { recallAt10: Interval; ndcgAt10: Interval };
  /** For the calibration: shares of all scores of the first places, and whether the place held the user's item. */
  shares: Float64Array;
  hits: Float64Array;
}

/** Places of each user's list that the calibration learns from. */
const CALIBRATED_PLACES = 20;

/**
 * Ranks the whole catalogue for each user of a hold-out by what they have left.
 * @param model trained on `holdOut.rest`
 * @param mostKnown looks only at the latest so many entries of each user, as if they were that new; what they have besides is
 *   left out of the ranking all the same. Default all.
 * @returns figures with 95 % bootstrap intervals over users
 */
export function judgeRecommender(
  model: Recommender,
  holdOut: HoldOut,
  seed: number,
  mostKnown = Infinity,
): RecommenderJudgement {
  const { rest, user, target } = holdOut;
  const scorer = new ItemScorer(model);
  const ranks = new Float64Array(user.length);
  const listed = new Int32Array(model.items);
  const shares: number[] = [];
  const hits: number[] = [];
  for (let k = 0; k < user.length; k++) {
    const [start, end] = [rest.offsets[user[k]!]!, rest.offsets[user[k]! + 1]!];
    const from = Math.max(start, end - mostKnown);
    const items = rest.item.subarray(from, end);
    const [weights, times] = [rest.weight.subarray(from, end), rest.time.subarray(from, end)];
    const history = weighHistory({ items, weights, times }, model.reading, model.items);
    scorer.score(history);
    const { scores } = scorer;
    for (const item of rest.item.subarray(start, end)) scores[item] = -Infinity;
    ranks[k] = rankOf(target[k]!, scores);
    let total = 0;
    for (let i = 0; i < scores.length; i++) if (scores[i]! > 0) total += scores[i]!;
    topItems(scores, CALIBRATED_PLACES).forEach((item, place) => {
      if (place < LIST_LENGTH) listed[item]!++;
      if (history.items.length === 0) return;
      shares.push(total > 0 ? Math.max(0, scores[item]!) / total : 0);
      hits.push(item === target[k] ? 1 : 0);
    });
  }
  return {
    users: user.length,
    ...summarise(ranks, seed),
    coverage: model.items > 0 ? listed.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0) / model.items : 0,
    listed,
    shares: Float64Array.from(shares),
    hits: Float64Array.from(hits),
  };
}

function summarise(
  ranks: Float64Array,
  seed: number,
): Pick<RecommenderJudgement, 'ranks' | 'recallAt10' | 'ndcgAt10' | 'intervals'> {
  const [recalls, gains] = [ranks.map(recallAt10), ranks.map(gainAt10)];
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const values = [mean(recalls), mean(gains)];
  const statistics = [resampledMean(recalls), resampledMean(gains)];
  const [recall, ndcg] = bootstrapIntervals(ranks.length, statistics, values, 0.95, seed);
  return { ranks, recallAt10: values[0]!, ndcgAt10: values[1]!, intervals: { recallAt10: recall!, ndcgAt10: ndcg! } };
}

/**
 * The curve from an item's share of all scores to how often an item of that share was the user's next one; isotonic, so that
 * a better place never has the lower chance. A miss is added at the largest share, or a single hit could make it certain.
 */
export function calibrateShares({ shares, hits }: RecommenderJudgement): IsotonicCurve | undefined {
  if (shares.length === 0) return undefined;
  const most = shares.reduce((a, b) => Math.max(a, b), 0);
  const inputs = new Float64Array(shares.length + 1).fill(most);
  const targets = new Float64Array(shares.length + 1);
  inputs.set(shares);
  targets.set(hits);
  return fitIsotonic(inputs, targets);
}
