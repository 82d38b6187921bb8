/** Above this many differences the distribution of the rank sum is taken as normal. */
const MOST_EXACT = 60;

/**
 * The middle of paired differences with its interval, by Wilcoxon's signed ranks (Hodges and Lehmann 1963): right for differences that
 * are symmetric under chance, whatever their tails, and with few of them sharper than Student's where some are far out.
 * @param differences finite
 * @param level of the two-sided interval, 0.95 unless told
 * @returns the median of all pairwise means; endless ends where there are too few differences for the level
 */
export function signedRankInterval(
  differences: Float64Array,
  level = 0.95,
): { difference: number; lower: number; upper: number } {
  const n = differences.length;
  if (n === 0) return { difference: 0, lower: -Infinity, upper: Infinity };
  const means: number[] = [];
  for (let i = 0; i < n; i++) for (let j = i; j < n; j++) means.push((differences[i]! + differences[j]!) / 2);
  means.sort((a, b) => a - b);
  const middle = means.length >> 1;
  const difference = means.length % 2 === 1 ? means[middle]! : (means[middle - 1]! + means[middle]!) / 2;
  const cut = lowestRankSums(n, (1 - level) / 2);
  if (cut === 0) return { difference, lower: -Infinity, upper: Infinity };
  return { difference, lower: means[cut - 1]!, upper: means[means.length - cut]! };
}

/** How many of the lowest rank sums (0, 1, …) together are no more likely than `tail` under chance. */
function lowestRankSums(n: number, tail: number): number {
  const most = (n * (n + 1)) / 2;
  if (n > MOST_EXACT) {
    const deviation = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24);
    // 1.96 deviations for 0.025; other tails by the usual approximation of the normal quantile.
    const t = Math.sqrt(-2 * Math.log(tail));
    const z = t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t);
    return Math.max(0, Math.floor(most / 2 - z * deviation));
  }
  // Each of the ranks is in the sum or not, with equal chances.
  let chances = new Float64Array(most + 1);
  chances[0] = 1;
  for (let rank = 1; rank <= n; rank++)
    chances = chances.map((chance, sum) => (chance + (sum >= rank ? chances[sum - rank]! : 0)) / 2);
  let total = 0;
  let count = 0;
  for (; count < most && total + chances[count]! <= tail; count++) total += chances[count]!;
  return count;
}
