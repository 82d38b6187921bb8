import { factorCholesky } from '../linear/cholesky.js';
import { minimiseLbfgs } from '../linear/minimise-lbfgs.js';

/** Least variance of noise, of targets with variance 1: keeps the matrix of points that lie close together positive definite. */
const LEAST_NOISE = 1e-6;
/** The logarithms of noise and signal are drawn to these middles, with these deviations. */
const NOISE_PRIOR = { middle: Math.log(1e-3), deviation: 2 };
const SIGNAL_PRIOR = { middle: 0, deviation: 1 };
/**
 * So do the logarithms of the lengths, which grow with the square root of the dimensions (C. Hvarfner, E. Hellsten and L. Nardi, ICML 2024).
 * Their prior is far wider; on Hartmann-3, Levy-5, Ackley-5, Styblinski-Tang-4 and Rosenbrock-4 this one is better at 25 trials on each.
 */
const LENGTH_DEVIATION = 0.7;
const lengthMiddle = (dimensions: number) => Math.log(0.4) + 0.5 * Math.log(dimensions);
const MOST_ITERATIONS = 20;
const ROOT_5 = Math.sqrt(5);

/** What is believed of the function at a point. */
export interface Belief {
  readonly mean: number;
  /** Of the function itself, without noise. */
  readonly variance: number;
}

/**
 * A Gaussian process with a Matern 5/2 kernel that has a length a dimension (C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes
 * for Machine Learning", 2006, chapters 2 and 5): lengths, signal and noise are those of the highest posterior density.
 */
export class GaussianProcess {
  /** By dimension 1 over the square of its length. */
  private readonly rates: Float64Array;

  private constructor(
    private readonly points: readonly Float64Array[],
    private readonly targets: Float64Array,
    private readonly isList: readonly boolean[],
    /** Logarithms: a length a dimension, then the variances of signal and noise. */
    private readonly settings: Float64Array,
    private readonly known: Known,
  ) {
    this.rates = settings.subarray(0, isList.length).map((log) => Math.exp(-2 * log));
  }

  /**
   * @param points a coordinate a dimension, about from 0 to 1
   * @param targets one a point, with mean 0 and variance 1 or near it
   * @param isList by dimension whether its coordinates are names, which are equal or not
   * @param mostFitted from so many points, evenly among those given, the settings are found; what is expected rests on all
   * @throws RangeError without points
   */
  static fit(
    points: readonly Float64Array[],
    targets: Float64Array,
    isList: readonly boolean[],
    mostFitted = Infinity,
  ): GaussianProcess {
    if (points.length === 0) throw new RangeError('a Gaussian process needs at least one point');
    const fitted = thin([...points.keys()], mostFitted);
    const squares = squaredGaps(
      fitted.map((at) => points[at]!),
      isList,
    );
    const fittedTargets = Float64Array.from(fitted, (at) => targets[at]!);
    const d = isList.length;
    const settings = Float64Array.from({ length: d + 2 }, (_, k) => (k < d ? Math.log(0.5) : 0));
    settings[d + 1] = NOISE_PRIOR.middle;
    minimiseLbfgs(
      (at, gradient) => surprise(at, squares, fittedTargets, gradient)?.value ?? Infinity,
      settings,
      1e-2,
      MOST_ITERATIONS,
    );
    return new GaussianProcess(
      points,
      targets,
      isList,
      settings,
      surprise(settings, squaredGaps(points, isList), targets)!,
    );
  }

  /** The process with points at which exactly what it expects there has been seen: the means stay, the doubt near them goes. */
  extend(points: readonly Float64Array[]): GaussianProcess {
    const all = [...this.points, ...points];
    const targets = Float64Array.from([...this.targets, ...points.map((point) => this.believe(point).mean)]);
    const known = surprise(this.settings, squaredGaps(all, this.isList), targets)!;
    return new GaussianProcess(all, targets, this.isList, this.settings, known);
  }

  /** @param gradient where given, gets the slopes of the mean, then of the variance, by dimension; those of lists are 0 */
  believe(point: Float64Array, gradient?: Float64Array): Belief {
    const n = this.points.length;
    const d = this.isList.length;
    const signal = Math.exp(this.settings[d]!);
    const { rates, isList } = this;
    const kernel = new Float64Array(n);
    const slopes = new Float64Array(n);
    let mean = this.known.mean;
    for (let i = 0; i < n; i++) {
      const other = this.points[i]!;
      let square = 0;
      for (let k = 0; k < d; k++) square += rates[k]! * squaredGap(point[k]!, other[k]!, isList[k]!);
      const r = ROOT_5 * Math.sqrt(square);
      const decay = signal * Math.exp(-r);
      kernel[i] = decay * (1 + r + (r * r) / 3);
      slopes[i] = (-5 / 3) * decay * (1 + r);
      mean += kernel[i]! * this.known.weights[i]!;
    }
    let variance = signal;
    const { inverse } = this.known;
    const solved = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      const row = i * n;
      for (let j = 0; j < n; j++) sum += inverse[row + j]! * kernel[j]!;
      solved[i] = sum;
      variance -= sum * kernel[i]!;
    }
    if (gradient) this.addSlopes(point, slopes, solved, gradient);
    return { mean, variance: Math.max(1e-12 * signal, variance) };
  }

  private addSlopes(point: Float64Array, slopes: Float64Array, solved: Float64Array, gradient: Float64Array): void {
    const d = this.isList.length;
    gradient.fill(0);
    for (let i = 0; i < slopes.length; i++) {
      const ofMean = slopes[i]! * this.known.weights[i]!;
      const ofVariance = -2 * slopes[i]! * solved[i]!;
      for (let k = 0; k < d; k++) {
        if (this.isList[k]) continue;
        const gap = this.rates[k]! * (point[k]! - this.points[i]![k]!);
        gradient[k]! += ofMean * gap;
        gradient[d + k]! += ofVariance * gap;
      }
    }
  }
}

function thin(all: readonly number[], most: number): readonly number[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, k) => all[Math.floor((k * all.length) / most)]!);
}

function squaredGap(a: number, b: number, isList: boolean): number {
  if (isList) return a === b ? 0 : 1;
  return (a - b) * (a - b);
}

/** `[dimension][row * n + column]`, below the diagonal. */
function squaredGaps(points: readonly Float64Array[], isList: readonly boolean[]): Float64Array[] {
  const n = points.length;
  return isList.map((list, k) => {
    const squares = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) squares[i * n + j] = squaredGap(points[i]![k]!, points[j]![k]!, list);
    return squares;
  });
}

interface Known {
  /** Negative logarithm of likelihood and priors, up to a constant. */
  value: number;
  mean: number;
  inverse: Float64Array;
  weights: Float64Array;
}

/** @param gradient where given, gets the slopes by setting */
function surprise(
  settings: Float64Array,
  squares: readonly Float64Array[],
  targets: Float64Array,
  gradient?: Float64Array,
): Known | undefined {
  const n = targets.length;
  const d = squares.length;
  const { kernel, factors } = kernelMatrix(settings, squares, n);
  const noise = LEAST_NOISE + Math.exp(settings[d + 1]!);
  const factor = kernel.slice();
  for (let i = 0; i < n; i++) factor[i * n + i]! += noise;
  if (!factorCholesky(factor, n)) return undefined;
  let value = 0;
  for (let i = 0; i < n; i++) value += Math.log(factor[i * n + i]!);
  const inverse = invertFactored(factor, n);
  const { weights, mean } = solveTargets(inverse, targets);
  for (let i = 0; i < n; i++) value += 0.5 * weights[i]! * (targets[i]! - mean);
  if (gradient) likelihoodSlopes(settings, squares, { kernel, factors, inverse, weights }, gradient);
  return { value: value + addPriors(settings, gradient), mean, inverse, weights };
}

/** The lower triangle of the kernel, and what its slopes along the log lengths have in common. */
function kernelMatrix(settings: Float64Array, squares: readonly Float64Array[], n: number) {
  const d = squares.length;
  const signal = Math.exp(settings[d]!);
  const kernel = new Float64Array(n * n);
  const factors = new Float64Array(n * n);
  for (let k = 0; k < d; k++) {
    const rate = Math.exp(-2 * settings[k]!);
    const gaps = squares[k]!;
    for (let i = 1; i < n; i++) for (let at = i * n, end = at + i; at < end; at++) kernel[at]! += rate * gaps[at]!;
  }
  for (let i = 0; i < n; i++) {
    for (let at = i * n, end = at + i; at < end; at++) {
      const r = ROOT_5 * Math.sqrt(kernel[at]!);
      const decay = signal * Math.exp(-r);
      kernel[at] = decay * (1 + r + (r * r) / 3);
      factors[at] = (5 / 3) * decay * (1 + r);
    }
    kernel[i * n + i] = signal;
  }
  return { kernel, factors };
}

/** Both triangles of the inverse of a matrix, from the lower triangle of its Cholesky factor. */
function invertFactored(factor: Float64Array, n: number): Float64Array {
  // Rows of the inverse of the factor, so that all sums run along rows.
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const own = i * n;
    const pivot = 1 / factor[own + i]!;
    for (let k = 0; k < i; k++) {
      const scale = -factor[own + k]! * pivot;
      for (let j = 0, other = k * n; j <= k; j++) rows[own + j]! += scale * rows[other + j]!;
    }
    rows[own + i] = pivot;
  }
  const inverse = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i <= k; i++) {
      const scale = rows[k * n + i]!;
      for (let j = 0; j <= i; j++) inverse[i * n + j]! += scale * rows[k * n + j]!;
    }
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) inverse[j * n + i] = inverse[i * n + j]!;
  return inverse;
}

/** The constant mean that suits the targets best, and the inverse times what is left of them. */
function solveTargets(inverse: Float64Array, targets: Float64Array): { weights: Float64Array; mean: number } {
  const n = targets.length;
  const [ofTargets, ofOnes] = [new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      ofTargets[i]! += inverse[i * n + j]! * targets[j]!;
      ofOnes[i]! += inverse[i * n + j]!;
    }
  }
  // As if a mean of 0 had been seen once, in units of the targets: of few points the mean says little.
  const sum = (list: Float64Array) => list.reduce((a, b) => a + b, 0);
  const mean = sum(ofTargets) / (sum(ofOnes) + 1);
  return { weights: ofTargets.map((weight, i) => weight - mean * ofOnes[i]!), mean };
}

function likelihoodSlopes(
  settings: Float64Array,
  squares: readonly Float64Array[],
  known: { kernel: Float64Array; factors: Float64Array; inverse: Float64Array; weights: Float64Array },
  gradient: Float64Array,
): void {
  const { kernel, factors, inverse, weights } = known;
  const n = weights.length;
  const d = squares.length;
  gradient.fill(0);
  const rates = settings.subarray(0, d).map((log) => Math.exp(-2 * log));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const at = i * n + j;
      const pull = inverse[at]! - weights[i]! * weights[j]!;
      gradient[d]! += pull * kernel[at]!;
      const common = pull * factors[at]!;
      for (let k = 0; k < d; k++) gradient[k]! += common * rates[k]! * squares[k]![at]!;
    }
    const own = inverse[i * n + i]! - weights[i]! ** 2;
    gradient[d]! += 0.5 * own * kernel[i * n + i]!;
    gradient[d + 1]! += 0.5 * own * Math.exp(settings[d + 1]!);
  }
}

function addPriors(settings: Float64Array, gradient?: Float64Array): number {
  const d = settings.length - 2;
  let value = 0;
  for (let k = 0; k < d + 2; k++) {
    const prior =
      k < d ? { middle: lengthMiddle(d), deviation: LENGTH_DEVIATION } : k === d ? SIGNAL_PRIOR : NOISE_PRIOR;
    const z = (settings[k]! - prior.middle) / prior.deviation;
    value += 0.5 * z * z;
    if (gradient) gradient[k]! += z / prior.deviation;
  }
  return value;
}
