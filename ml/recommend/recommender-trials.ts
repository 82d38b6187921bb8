import { LearnerSearch, type RecommenderTrial } from './choose-recommender.js';
import type { Interactions } from './interactions.js';
import type { Learner } from './recommender-settings.js';
import { holdOutTwice, LEAST_USERS, limitsOf } from './train-recommender.js';

/** Learners that are judged one by one on the same users. */
export interface RecommenderTrials {
  /** Of the best list of popular items. */
  popularWorth: number;
  judge(learner: Learner): RecommenderTrial;
}

/**
 * Opens interactions for one learner after another, on the users that `trainRecommender` chooses by; what it judges its choice by is not
 * looked at. Undefined where there are too few users to choose by.
 */
export function openRecommenderTrials(input: {
  interactions: Interactions;
  mostEaseItems?: number;
  seed: number;
}): RecommenderTrials | undefined {
  const { choosing } = holdOutTwice(input.interactions, input.seed);
  if (choosing.user.length < LEAST_USERS) return undefined;
  const search = new LearnerSearch(choosing, input.seed);
  const limits = limitsOf(input);
  return {
    popularWorth: Math.max(...search.tryPopularities().map(({ worth }) => worth)),
    judge: (learner) => search.tryLearner(learner, limits),
  };
}
