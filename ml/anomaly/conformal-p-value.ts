/**
 * Conformal p-value of a score: the share of calibration rows that are at least as odd, the row itself counted in. For rows like
 * the calibration rows P(p <= a) <= a for every a, whatever the detector (Vovk et al. 2005; Bates et al. 2023).
 * @param calibration scores of normal rows that the detector was not fitted on, ascending; larger is odder
 * @returns above 1 / (rows + 1), at most 1
 */
export function conformalPValue(calibration: Float64Array, score: number): number {
  let low = 0;
  let high = calibration.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (calibration[middle]! < score) low = middle + 1;
    else high = middle;
  }
  return (1 + calibration.length - low) / (calibration.length + 1);
}

/**
 * The p-value with a tail: within the calibration scores it is the conformal one, and beyond the largest of them it goes on falling
 * in proportion to that score over this one. That is as slowly as the tail of any law with a mean can fall, so it claims no more
 * than it must; but farther out always counts as rarer.
 * @param calibration ascending, as for `conformalPValue`; scores in nats, 0 and above
 */
export function extendedPValue(calibration: Float64Array, score: number): number {
  const p = conformalPValue(calibration, score);
  const most = calibration.at(-1) ?? 0;
  return score > most && most > 0 ? (p * most) / score : p;
}

/**
 * The false alarm rate that a sensitivity stands for: 1 alarm in 2,000 normal rows at 0, 1 in 100 at 0.5, 1 in 5 at 1, evenly on a
 * logarithmic scale.
 * @param sensitivity 0 to 1
 */
export function falseAlarmRate(sensitivity: number): number {
  return 10 ** (-3.3 + 2.6 * sensitivity);
}
