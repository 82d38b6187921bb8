import { logGamma } from '../sequential/log-gamma.js';

const MOST_TERMS = 10_000;
const PRECISION = 1e-16;

/**
 * The regularised upper incomplete gamma function Q(a, x): the share of a gamma distribution of shape `a` above `x`. By its series below
 * a + 1 and by Lentz's continued fraction above (Press et al., Numerical Recipes, section 6.2); relative error below 1e-12 for the shapes of
 * tests on tables.
 * @param a above 0
 * @param x from 0
 */
export function upperGammaShare(a: number, x: number): number {
  if (!(a > 0) || !(x >= 0)) throw new RangeError(`the gamma function of shape ${a} is not defined at ${x}`);
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  return x < a + 1 ? 1 - scale * lowerSeries(a, x) : scale * upperFraction(a, x);
}

function lowerSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MOST_TERMS && term > sum * PRECISION; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

function upperFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let value = d;
  for (let n = 1; n < MOST_TERMS; n++) {
    const factor = n * (a - n);
    b += 2;
    d = 1 / (b + factor * d);
    c = b + factor / c;
    const step = c * d;
    value *= step;
    if (Math.abs(step - 1) < PRECISION) break;
  }
  return value;
}

/** The chance that a chi-square variable of so many degrees of freedom is at least `statistic`. */
export function chiSquareTail(statistic: number, degrees: number): number {
  return upperGammaShare(degrees / 2, statistic / 2);
}
