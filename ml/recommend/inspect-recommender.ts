import { learningCurve } from '../evaluate/learning-curve.js';
import type { LearningCurve } from '../evaluate/learning-curve.js';
import { findSlices } from '../evaluate/slices.js';
import type { Slice } from '../evaluate/slices.js';
import type { HoldOut } from './hold-out.js';
import { selectInteractions } from './interactions.js';
import type { ItemAttributes } from './item-attributes.js';
import { judgeRecommender } from './judge-recommender.js';
import type { RecommenderJudgement } from './judge-recommender.js';
import { popularityTail } from './popularity-tail.js';
import type { PopularityTail } from './popularity-tail.js';
import { LIST_LENGTH, gainAt10 } from './ranking-quality.js';
import { fitRecommender } from './recommender-settings.js';
import type { FitLimits, RecommenderSettings } from './recommender-settings.js';
import type { Recommender } from './recommender.js';

/** What the judged users get when only their latest so many items are known. */
export interface ShortHistory extends Pick<RecommenderJudgement, 'recallAt10' | 'ndcgAt10' | 'intervals'> {
  known: number;
}

/** For whom and for which items a recommender is worse, and what would make it better. */
export interface RecommenderInspection {
  /** By length of history and popularity of the next item; the loss is 1 where the first ten missed. */
  slices: Slice[];
  tail: PopularityTail;
  /** By rising `known`. */
  shortHistories: ShortHistory[];
  /** By users that were learned from; the loss is 1 - NDCG@10. */
  curve: LearningCurve;
  /** Interactions of each part of the curve. */
  curveInteractions: number[];
}

const KNOWN = [0, 1, 2, 5, 10];
const CURVE_SHARES = [0.1, 0.3, 1];
const HISTORY_ENDS = [1, 2, 4, 9, 19, 49];

export interface InspectRecommenderInput {
  judging: HoldOut;
  model: Recommender;
  judged: RecommenderJudgement;
  popular: RecommenderJudgement;
  settings: RecommenderSettings;
  limits: FitLimits;
  attributes?: ItemAttributes;
}

/**
 * Looks into a judgement. Fits the same settings on parts of the users, so that it takes about as long as two fits.
 * @param input.model the one that was judged, trained on `judging.rest`
 */
export function inspectRecommender(input: InspectRecommenderInput): RecommenderInspection {
  const { judging, model, judged, popular, limits } = input;
  const { rest, user } = judging;
  const tail = popularityTail(judging, judged, popular);
  const lengths = Array.from(user, (u) => rest.offsets[u + 1]! - rest.offsets[u]!);
  const slices = findSlices({
    columns: [
      { name: 'known items', values: lengths.map(lengthName) },
      { name: 'next item', values: tail.groupOfTarget },
    ],
    losses: judged.ranks.map((rank) => (rank < LIST_LENGTH ? 0 : 1)),
  });
  const longest = Math.max(0, ...lengths);
  const shortHistories = KNOWN.filter((known) => known < longest).map((known) => {
    const { recallAt10, ndcgAt10, intervals } = judgeRecommender(model, judging, limits.seed, known);
    return { known, recallAt10, ndcgAt10, intervals };
  });
  return { slices, tail, shortHistories, ...curveOf(input) };
}

function lengthName(length: number): string {
  const at = HISTORY_ENDS.findIndex((end) => length <= end);
  const [from, to] = [(HISTORY_ENDS[at - 1] ?? 0) + 1, HISTORY_ENDS[at]];
  if (at < 0) return `${HISTORY_ENDS.at(-1)! + 1} or more`;
  return from === to ? String(to) : `${from} to ${to}`;
}

/** Learners learn from all users alike, so that a part of the users is a smaller table of the same kind. */
function curveOf({ judging, judged, settings, limits, attributes }: InspectRecommenderInput) {
  const { rest } = judging;
  const curveInteractions: number[] = [];
  const curve = learningCurve({
    rows: Uint32Array.from({ length: rest.users }, (_, u) => u),
    shares: CURVE_SHARES,
    seed: limits.seed,
    fit: (users) => {
      const isWanted = new Uint8Array(rest.users);
      for (const u of users) isWanted[u] = 1;
      const part = selectInteractions(rest, (_, u) => isWanted[u] === 1);
      curveInteractions.push(part.item.length);
      const judgement =
        users.length === rest.users
          ? judged
          : judgeRecommender(fitRecommender(part, settings, limits, attributes), judging, limits.seed);
      return { heldOutLosses: judgement.ranks.map((rank) => 1 - gainAt10(rank)), trainingLoss: NaN };
    },
  });
  return { curve, curveInteractions };
}
