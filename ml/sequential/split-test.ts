import { logGamma } from './log-gamma.js';

/**
 * Evidence that entities were not split by the given shares, as the logarithm of an e-value: the chance of it ever reaching log(1 / alpha)
 * while they are is at most alpha, however often one looks. A Dirichlet-multinomial Bayes factor (Lindon and Malek, "Anytime-valid inference
 * for multinomial count data", NeurIPS 2022).
 * @param counts entities in each group
 * @param shares of the groups by assignment; above 0, summing to 1
 * @param priorWeight how closely around `shares` the bet expects the true split; 100 finds a split of 53 : 47 rather than one of 50.1 : 49.9
 */
export function logSplitEvidence(counts: readonly number[], shares: readonly number[], priorWeight = 100): number {
  if (counts.length !== shares.length || counts.length < 2)
    throw new RangeError(
      `a split needs a share for each of two or more groups, got ${counts.length}, ${shares.length}`,
    );
  if (!counts.every((count) => count >= 0 && count < Infinity))
    throw new RangeError(`the counts of a split are [${counts.join(', ')}] but must be finite and not below 0`);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  if (!shares.every((share) => share > 0) || Math.abs(whole - 1) > 1e-9)
    throw new RangeError(`the shares of a split are [${shares.join(', ')}] but must be above 0 and sum to 1`);
  if (!(priorWeight > 0)) throw new RangeError(`the prior weight is ${priorWeight} but must be above 0`);
  const all = counts.reduce((sum, count) => sum + count, 0);
  let log = logGamma(priorWeight) - logGamma(priorWeight + all);
  counts.forEach((count, group) => {
    const prior = priorWeight * shares[group]!;
    log += logGamma(prior + count) - logGamma(prior) - count * Math.log(shares[group]!);
  });
  return log;
}
