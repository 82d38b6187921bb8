import { compareToBaseline } from '../evaluate/compare-to-baseline.js';
import type { BaselineComparison } from '../evaluate/compare-to-baseline.js';
import { chooseRecommender } from './choose-recommender.js';
import type { RecommenderTrial, TriedMethod } from './choose-recommender.js';
import { holdOutLast } from './hold-out.js';
import type { HoldOut } from './hold-out.js';
import { inspectRecommender } from './inspect-recommender.js';
import type { RecommenderInspection } from './inspect-recommender.js';
import type { Interactions } from './interactions.js';
import type { ItemAttributes } from './item-attributes.js';
import { calibrateShares, judgeRecommender } from './judge-recommender.js';
import type { RecommenderJudgement } from './judge-recommender.js';
import { gainAt10 } from './ranking-quality.js';
import type { Recommender } from './recommender.js';
import type { FitLimits, Learner, RecommenderSettings } from './recommender-settings.js';
import { fitRecommender } from './recommender-settings.js';

export interface TrainRecommenderInput {
  interactions: Interactions;
  /** What is known of the items; `attributes.items` as many as `interactions.items`. */
  attributes?: ItemAttributes;
  /** Default all three, ALS only above `mostEaseItems` items: where EASE can be computed it has always been better. */
  methods?: readonly TriedMethod[];
  /** Items that take part in EASE, the most taken first. Default 3,000: a quarter of a minute for each fit. */
  mostEaseItems?: number;
  seed: number;
  /** Learners that are tried besides those that always are, such as those that a search has found. */
  learners?: readonly Learner[];
  /** True looks into the judgement too (`report.inspection`), which takes about as long as two more fits. Default false. */
  inspect?: boolean;
  /** Called after each thing that was tried, with how far all is, 0 to 1. */
  onProgress?: (share: number, detail: string) => void;
}

/** Why a recommender is not better than its list of popular items. */
export type RecommenderRefusal =
  | { code: 'too_few_users'; users: number; needed: number }
  | { code: 'no_better_than_popular'; comparison: BaselineComparison };

export interface RecommenderReport {
  settings: RecommenderSettings;
  /** On interactions that no choice has seen: the last one of each user. Absent where there were too few users. */
  judged?: RecommenderJudgement;
  /** The most popular items on the same users. */
  popular?: RecommenderJudgement;
  /** Difference of the mean NDCG@10 to the most popular, paired by user. */
  comparison?: BaselineComparison;
  refusal?: RecommenderRefusal;
  trials: RecommenderTrial[];
  /** The one of the trials that was judged; absent where there were too few users. */
  best?: RecommenderTrial;
  /** Of `judged`, where it was asked for. */
  inspection?: RecommenderInspection;
}

/** Fewer users to choose by or to judge by say nothing. */
export const LEAST_USERS = 30;
/** Users need so many interactions to be judged; fewer will do where few users have them. */
const FEWEST_INTERACTIONS = 3;
const LEAST_INTERACTIONS = [5, 4, FEWEST_INTERACTIONS];
const ENOUGH_USERS = 500;

const POPULAR: RecommenderSettings = {
  learner: { method: 'most-popular' },
  strength: 'presence',
  historyHalfLife: Infinity,
  popularityHalfLife: Infinity,
  popularityWeight: 1,
  contentWeight: 0,
};

/**
 * Trains a recommender: what users took last is kept to judge by, what they took before that to choose by, and the model that
 * comes back is trained on all with the settings that were chosen. Where it does not beat the most popular items by more than
 * chance, the most popular items come back in its place, and `report.refusal` says why.
 * @throws RangeError for attributes of another number of items, or an unusable seed
 */
export function trainRecommender(input: TrainRecommenderInput): { model: Recommender; report: RecommenderReport } {
  const { interactions, attributes, seed, onProgress } = input;
  if (attributes && attributes.items !== interactions.items)
    throw new RangeError(`there are attributes of ${attributes.items} items, but ${interactions.items} items`);
  const limits = limitsOf(input);
  const { judging, choosing } = holdOutTwice(interactions, seed);
  if (choosing.user.length < LEAST_USERS) {
    const refusal = { code: 'too_few_users', users: choosing.user.length, needed: LEAST_USERS } as const;
    const model = fitRecommender(interactions, POPULAR, limits, attributes);
    return { model, report: { settings: POPULAR, refusal, trials: [] } };
  }
  const choice = chooseRecommender(
    choosing,
    input.methods ?? defaultMethods(input, limits),
    limits,
    attributes,
    (share, detail) => onProgress?.(0.8 * share, detail),
    input.learners,
  );
  onProgress?.(0.8, 'judging');
  const popular = judgeRecommender(fitRecommender(judging.rest, choice.popular.settings, limits), judging, seed);
  const candidate = fitRecommender(judging.rest, choice.best.settings, limits, attributes);
  const judged = judgeRecommender(candidate, judging, seed);
  const losses = (ranks: Float64Array): Float64Array => ranks.map((rank) => 1 - gainAt10(rank));
  const comparison = compareToBaseline({ losses: losses(judged.ranks), baselineLosses: losses(popular.ranks), seed });
  const { settings } = comparison.better ? choice.best : choice.popular;
  onProgress?.(0.9, `${settings.learner.method} on all interactions`);
  const fitted = fitRecommender(interactions, settings, limits, attributes);
  const model = { ...fitted, calibration: calibrateShares(comparison.better ? judged : popular) };
  const refusal = comparison.better ? undefined : ({ code: 'no_better_than_popular', comparison } as const);
  const inspected = { judging, model: candidate, judged, popular, settings: choice.best.settings, limits, attributes };
  const inspection = input.inspect ? inspectRecommender(inspected) : undefined;
  const { trials, best } = choice;
  return { model, report: { settings, judged, popular, comparison, refusal, trials, best, inspection } };
}

/** What no choice changes. */
export const limitsOf = ({
  mostEaseItems = 3000,
  seed,
}: Pick<TrainRecommenderInput, 'mostEaseItems' | 'seed'>): FitLimits => ({
  mostEaseItems,
  keep: 500,
  iterations: 10,
  seed,
});

function defaultMethods({ interactions }: TrainRecommenderInput, limits: FitLimits): TriedMethod[] {
  const isLarge = interactions.items > limits.mostEaseItems;
  return isLarge ? ['item-neighbours', 'ease', 'implicit-als'] : ['item-neighbours', 'ease'];
}

/** Holds out two of all users with enough interactions, of users with fewer where not many have enough. */
export function holdOutTwice(interactions: Interactions, seed: number): { judging: HoldOut; choosing: HoldOut } {
  for (const least of LEAST_INTERACTIONS) {
    const judging = holdOutLast(interactions, least, seed);
    if (judging.user.length < ENOUGH_USERS && least > FEWEST_INTERACTIONS) continue;
    return { judging, choosing: holdOutLast(judging.rest, least - 1, seed + 1) };
  }
  throw new RangeError('no number of interactions was tried');
}
