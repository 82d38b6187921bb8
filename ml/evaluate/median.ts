/** The middle value, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  // Halved first, since the sum of two large ones may be no number.
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1] ?? NaN) / 2 + (sorted[middle] ?? NaN) / 2;
}
