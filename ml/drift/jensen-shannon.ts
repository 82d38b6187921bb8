/**
 * The divergence of Jensen and Shannon between two rows of counts, in bits: 0 for the same shares, 1 where nothing is common (Lin 1991).
 * @param reference counts a category, not all 0
 * @param current likewise, of the same categories
 * @returns `divergence`, and `chance`: what it would be on average if both rows came from one distribution, by its second-order expansion,
 * where each category adds its chi-square; many rare categories alone make a distance
 */
export function jensenShannon(
  reference: ArrayLike<number>,
  current: ArrayLike<number>,
): { divergence: number; chance: number } {
  const m = sum(reference);
  const n = sum(current);
  if (!(m > 0) || !(n > 0)) throw new RangeError('a divergence between counts needs at least one count on each side');
  let divergence = 0;
  let chance = 0;
  for (let at = 0; at < reference.length; at++) {
    const p = reference[at]! / m;
    const q = current[at]! / n;
    const mean = (p + q) / 2;
    if (p > 0) divergence += (p * Math.log2(p / mean)) / 2;
    if (q > 0) divergence += (q * Math.log2(q / mean)) / 2;
    const pooled = (reference[at]! + current[at]!) / (m + n);
    if (pooled > 0) chance += ((1 - pooled) * (1 / m + 1 / n)) / (8 * Math.LN2);
  }
  return { divergence: Math.max(0, divergence), chance };
}

function sum(counts: ArrayLike<number>): number {
  let total = 0;
  for (let at = 0; at < counts.length; at++) total += counts[at]!;
  return total;
}
