/** How the present values of two samples are spread over the same bins. */
export interface SharedBins {
  /** Bounds of the bins, ascending, one more than there are bins. What lies beyond the outer ones counts to the outer bins. */
  edges: number[];
  /** Shares of the present values of each side, 0 to 1, one a bin. */
  reference: number[];
  current: number[];
}

const BINS = 12;
/** So much at each end does not stretch the bins, else one strange value would squeeze all others into one. */
const END_SHARE = 0.01;

/**
 * Lays bins of one width over both samples, for people to look at; nothing is judged by them.
 * @param reference present values, sorted, at least one
 * @param current the same
 */
export function shareBins(reference: Float64Array, current: Float64Array, bins = BINS): SharedBins {
  const low = Math.min(quantile(reference, END_SHARE), quantile(current, END_SHARE));
  const high = Math.max(quantile(reference, 1 - END_SHARE), quantile(current, 1 - END_SHARE));
  const starts = Array.from({ length: bins }, (_, at) => low * (1 - at / bins) + high * (at / bins));
  // One value on both sides, or two so close together that no numbers lie between them.
  const edges = starts.every((start, at) => at === 0 || start > starts[at - 1]!) ? starts : [low];
  return { edges: [...edges, high], reference: sharesOf(reference, edges), current: sharesOf(current, edges) };
}

const quantile = (sorted: Float64Array, share: number) => sorted[Math.round(share * (sorted.length - 1))]!;

function sharesOf(sorted: Float64Array, edges: readonly number[]): number[] {
  const starts = edges.map((edge, bin) => (bin === 0 ? 0 : countBelow(sorted, edge)));
  return starts.map((start, bin) => ((starts[bin + 1] ?? sorted.length) - start) / sorted.length);
}

/**
 * How many values lie below one. @param sorted ascending
 * @param isIncluded counts those that equal it, too
 */
export function countBelow(sorted: Float64Array, value: number, isIncluded = false): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value || (isIncluded && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
