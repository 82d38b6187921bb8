/**
 * The logarithm of the gamma function for x > 0: Stirling's series from 10 on, shifted up to there below (Abramowitz and Stegun 6.1.41);
 * the error stays below 1e-13 of max(1, the value).
 */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`the log of gamma is taken of ${x} but only of numbers above 0`);
  let shift = 0;
  let at = x;
  while (at < 10) {
    shift += Math.log(at);
    at += 1;
  }
  const inverse = 1 / (at * at);
  const series =
    (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - (inverse * 1) / 1188)))) / at;
  return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
