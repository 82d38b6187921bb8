/** Rows whose scores count as equal. */
export interface ScoreBin {
  rows: number;
  /** Their mean score. */
  score: number;
  /** Of them those whose truth is yes. */
  positives: number;
}

/**
 * The area under the ROC curve of binned scores, rows of a bin counting as tied, with the standard error of DeLong, DeLong and
 * Clarke-Pearson (1988). Equal to that of all rows where the bins are the distinct scores.
 * @param bins by rising score
 * @returns undefined without both kinds of rows
 */
export function binnedRocArea(bins: readonly ScoreBin[]): { area: number; error: number } | undefined {
  const positives = bins.reduce((sum, bin) => sum + bin.positives, 0);
  const negatives = bins.reduce((sum, bin) => sum + bin.rows - bin.positives, 0);
  if (!(positives > 0 && negatives > 0)) return undefined;
  let below = 0;
  let belowPositives = 0;
  let area = 0;
  let positiveSquares = 0;
  let negativeSquares = 0;
  for (const bin of bins) {
    const own = bin.rows - bin.positives;
    // The share of rows of the other kind that a row of this bin stands on the right side of.
    const ofPositive = (below + own / 2) / negatives;
    const ofNegative = (positives - belowPositives - bin.positives / 2) / positives;
    area += bin.positives * ofPositive;
    positiveSquares += bin.positives * ofPositive * ofPositive;
    negativeSquares += own * ofNegative * ofNegative;
    below += own;
    belowPositives += bin.positives;
  }
  area /= positives;
  const spread = (squares: number, n: number) => (n > 1 ? Math.max(0, squares - n * area * area) / (n - 1) / n : 0);
  return { area, error: Math.sqrt(spread(positiveSquares, positives) + spread(negativeSquares, negatives)) };
}
