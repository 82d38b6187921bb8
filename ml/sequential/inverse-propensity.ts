/**
 * Sums over all decisions of an allocation that changed as it learned, for one arm: w is 1 / the logged chance of the arm where it was played
 * and 0 where not, r the reward.
 */
export interface PropensitySums {
  /** All decisions, whichever arm was played. */
  decisions: number;
  /** Σ w. */
  weights: number;
  /** Σ w². */
  weightsSquared: number;
  /** Σ w r. */
  rewards: number;
  /** Σ w² r. */
  rewardsWeighted: number;
  /** Σ w² r². */
  rewardsSquared: number;
}

/** The sums with one more decision in them. @param propensity logged chance of this arm, or undefined where another arm was played */
export function addDecision(sums: PropensitySums, propensity?: number, reward = 0): PropensitySums {
  if (propensity === undefined) return { ...sums, decisions: sums.decisions + 1 };
  if (!(propensity > 0 && propensity <= 1))
    throw new RangeError(`an arm was played with the logged chance ${propensity}, which must be above 0 and at most 1`);
  if (!Number.isFinite(reward)) throw new RangeError(`a reward is ${reward} but must be finite`);
  const w = 1 / propensity;
  return {
    decisions: sums.decisions + 1,
    weights: sums.weights + w,
    weightsSquared: sums.weightsSquared + w * w,
    rewards: sums.rewards + w * reward,
    rewardsWeighted: sums.rewardsWeighted + w * w * reward,
    rewardsSquared: sums.rewardsSquared + w * w * reward * reward,
  };
}

/**
 * What the arm's mean reward would have been had it been played always: Horvitz and Thompson's estimate, which stays unbiased although
 * the allocation looked at the rewards (the plain mean of a bandit's arm is too low). Around `centre` the estimate varies less: r - centre is
 * weighted and centre added back, unbiased for any number fixed beforehand, such as the reward of the month before.
 * @returns the estimate and its variance; Infinity for fewer than two decisions
 */
export function inversePropensityMean(sums: PropensitySums, centre = 0): { mean: number; variance: number } {
  const { decisions, weights, weightsSquared, rewards, rewardsWeighted, rewardsSquared } = sums;
  if (!(decisions >= 0)) throw new RangeError(`there are ${decisions} decisions, but counts are not below 0`);
  if (decisions < 2) return { mean: NaN, variance: Infinity };
  const off = (rewards - centre * weights) / decisions;
  const squares = rewardsSquared - 2 * centre * rewardsWeighted + centre * centre * weightsSquared;
  const variance = Math.max(0, squares - decisions * off * off) / (decisions - 1) / decisions;
  return { mean: centre + off, variance };
}
