/**
 * Which of many rows to report so that on average at most the share `rate` of the reports is false (Benjamini and Hochberg 1995).
 * @param rate above 0, below 1
 * @returns 1 for each row to report
 */
export function selectByFalseDiscoveryRate(pValues: Float64Array, rate: number): Uint8Array {
  if (!(rate > 0 && rate < 1)) throw new RangeError(`the false discovery rate is ${rate} but must be between 0 and 1`);
  const sorted = pValues.slice().sort();
  let cut = -1;
  sorted.forEach((p, index) => {
    if (p <= (rate * (index + 1)) / sorted.length) cut = p;
  });
  return Uint8Array.from(pValues, (p) => (p <= cut ? 1 : 0));
}
