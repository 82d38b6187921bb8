import { minimiseLbfgs } from '../linear/minimise-lbfgs.js';
import { seasonalIndices } from './seasonal-indices.js';
import { extrapolateSmoothing, SmoothingRecursion } from './smoothing-recursion.js';
import type { SmoothingForm, SmoothingParameters, SmoothingStates } from './smoothing-recursion.js';

/** An exponential smoothing with its parameters and first states estimated. */
export interface SmoothingFit {
  form: SmoothingForm;
  parameters: SmoothingParameters;
  /** Akaike's criterion for small samples; Infinity where there are too few values for it. */
  aicc: number;
  /** Where the minimiser ended: a start for the same form on a slightly longer history. */
  free: Float64Array;
  forecast(horizon: number): Float64Array;
}

export interface SmoothingFitOptions {
  /** `free` of an earlier fit of the same form. */
  start?: Float64Array;
  /**
   * True to estimate the first season too, from three seasons on. The likelihood is higher then, forecasts are not: with so many free
   * numbers it prefers a season that never changes (MASE on the airline series 0.70 against 0.60).
   */
  estimatesSeason?: boolean;
}

/** Bounds of the damping: weaker damping cannot be told from none, stronger from no trend. */
const [LEAST_PHI, MOST_PHI] = [0.8, 0.995];
/** The season begins as it was in this many first seasons, so that what changed since shows in how fast it follows. */
const FIRST_SEASONS = 2;
const MOST_ITERATIONS = 150;

/**
 * Estimates an exponential smoothing by maximum likelihood: smoothing parameters and first states together.
 * @param values without gaps, two seasons or more; above 0 where the form multiplies
 * @param season steps of the season; ignored for a form without
 * @returns null where the form cannot follow such values
 */
export function fitSmoothing(
  values: Float64Array,
  form: SmoothingForm,
  season: number,
  { start, estimatesSeason = false }: SmoothingFitOptions = {},
): SmoothingFit | null {
  const period = form.season === 'none' ? 1 : season;
  const isMultiplied = form.error === 'multiplicative' || form.season === 'multiplicative';
  if (isMultiplied && !values.every((value) => value > 0)) return null;
  const unit = scaleOf(values);
  const scaled = values.map((value) => value / unit);
  const layout = new FreeParameters(form, period, scaled, estimatesSeason && scaled.length >= 3 * period);
  const recursion = new SmoothingRecursion(scaled, form, period);
  const n = scaled.length;
  const objective = (free: Float64Array, gradient: Float64Array): number => {
    const { parameters, first } = layout.read(free);
    const { deviance } = recursion.run(parameters, first);
    if (deviance === Infinity) {
      gradient.fill(0);
      return Infinity;
    }
    layout.writeGradient(free, recursion.differentiate(parameters), gradient);
    for (let i = 0; i < gradient.length; i++) gradient[i]! /= n;
    return deviance / n;
  };
  const starts = start?.length === layout.size ? [start.slice()] : layout.starts();
  let free: Float64Array | undefined;
  let least = Infinity;
  const gradient = new Float64Array(layout.size);
  for (const point of starts) {
    if (objective(point, gradient) === Infinity) continue;
    minimiseLbfgs(objective, point, 1e-5, MOST_ITERATIONS);
    const value = objective(point, gradient);
    if (value < least) [free, least] = [point, value];
  }
  if (!free) return start ? fitSmoothing(values, form, season, { estimatesSeason }) : null;
  const { parameters, first } = layout.read(free);
  const { deviance, last } = recursion.run(parameters, first);
  const forecast = (horizon: number): Float64Array =>
    extrapolateSmoothing(form, parameters, last, n % period, horizon).map((value) => value * unit);
  if (!forecast(1).every(Number.isFinite)) return null;
  const count = layout.size + 1;
  const aicc = n - count - 1 > 0 ? deviance + 2 * count + (2 * count * (count + 1)) / (n - count - 1) : Infinity;
  return { form, parameters, aicc, free, forecast };
}

/** A unit in which the values are about 1, so that tolerances mean the same for bytes and for shares. */
function scaleOf(values: Float64Array): number {
  const size = values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
  return size > 0 ? size : 1;
}

const logistic = (u: number): number => 1 / (1 + Math.exp(-u));
const logit = (p: number): number => Math.log(p / (1 - p));
const slopeOf = (share: number): number => share * (1 - share);

/** Which numbers the minimiser moves, and what they mean: shares by the logistic function, states as they are. */
class FreeParameters {
  readonly size: number;
  private readonly hasTrend: boolean;
  private readonly isDamped: boolean;
  private readonly hasSeason: boolean;
  private readonly estimatesSeason: boolean;
  private readonly decomposed: SmoothingStates;
  private readonly levelAt: number;
  private readonly seasonAt: number;

  constructor(form: SmoothingForm, period: number, values: Float64Array, estimatesSeason: boolean) {
    this.hasTrend = form.trend !== 'none';
    this.isDamped = form.trend === 'damped';
    this.hasSeason = form.season !== 'none';
    this.estimatesSeason = this.hasSeason && estimatesSeason;
    this.decomposed = firstStates(form, period, values);
    this.levelAt = 1 + Number(this.hasTrend) + Number(this.isDamped) + Number(this.hasSeason);
    this.seasonAt = this.levelAt + 1 + Number(this.hasTrend);
    this.size = this.seasonAt + (this.estimatesSeason ? period : 0);
  }

  /** The likelihood often has two hills: a level that follows fast with a steady season, and the other way round. */
  starts(): Float64Array[] {
    const steady = this.startAt(0.3, 0.1);
    return this.hasSeason ? [steady, this.startAt(0.1, 0.7)] : [steady];
  }

  private startAt(alpha: number, gammaShare: number): Float64Array {
    const free = new Float64Array(this.size);
    let at = 0;
    free[at++] = logit(alpha);
    if (this.hasTrend) free[at++] = logit(0.1);
    if (this.isDamped) free[at++] = logit(0.8);
    if (this.hasSeason) free[at++] = logit(gammaShare);
    free[at++] = this.decomposed.level;
    if (this.hasTrend) free[at++] = this.decomposed.slope;
    if (this.estimatesSeason) free.set(this.decomposed.season, at);
    return free;
  }

  read(free: Float64Array): { parameters: SmoothingParameters; first: SmoothingStates } {
    let at = 0;
    const alpha = logistic(free[at++]!);
    const beta = this.hasTrend ? alpha * logistic(free[at++]!) : 0;
    const phi = this.isDamped ? LEAST_PHI + (MOST_PHI - LEAST_PHI) * logistic(free[at++]!) : 1;
    const gamma = this.hasSeason ? (1 - alpha) * logistic(free[at]!) : 0;
    return {
      parameters: { alpha, beta, gamma, phi },
      first: {
        level: free[this.levelAt]!,
        slope: this.hasTrend ? free[this.levelAt + 1]! : 0,
        season: this.estimatesSeason ? free.subarray(this.seasonAt) : this.decomposed.season,
      },
    };
  }

  /** Chain rule from parameters and states to the free numbers. */
  writeGradient(free: Float64Array, by: SmoothingParameters & SmoothingStates, gradient: Float64Array): void {
    const alpha = logistic(free[0]!);
    let byAlpha = by.alpha;
    let at = 1;
    if (this.hasTrend) {
      const share = logistic(free[at]!);
      gradient[at++] = by.beta * alpha * slopeOf(share);
      byAlpha += by.beta * share;
    }
    if (this.isDamped) {
      gradient[at] = by.phi * (MOST_PHI - LEAST_PHI) * slopeOf(logistic(free[at]!));
      at++;
    }
    if (this.hasSeason) {
      const share = logistic(free[at]!);
      gradient[at++] = by.gamma * (1 - alpha) * slopeOf(share);
      byAlpha -= by.gamma * share;
    }
    gradient[0] = byAlpha * slopeOf(alpha);
    gradient[this.levelAt] = by.level;
    if (this.hasTrend) gradient[this.levelAt + 1] = by.slope;
    if (this.estimatesSeason) gradient.set(by.season, this.seasonAt);
  }
}

/** Where a smoothing starts: a line through the first values without their season. */
function firstStates(form: SmoothingForm, period: number, values: Float64Array): SmoothingStates {
  const season =
    form.season === 'none'
      ? new Float64Array(1)
      : seasonalIndices(values.subarray(0, FIRST_SEASONS * period), period, form.season);
  const count = Math.min(values.length, Math.max(10, 2 * period));
  const plain = values.subarray(0, count).map((value, i) => {
    if (form.season === 'none') return value;
    const index = season[i % period]!;
    return form.season === 'additive' ? value - index : value / Math.max(index, 1e-6);
  });
  const middle = (count - 1) / 2;
  const mean = plain.reduce((sum, value) => sum + value, 0) / count;
  let [above, below] = [0, 0];
  plain.forEach((value, i) => {
    above += (i - middle) * (value - mean);
    below += (i - middle) ** 2;
  });
  const slope = form.trend === 'none' || below === 0 ? 0 : above / below;
  const level = mean - slope * (middle + 1);
  const isMultiplied = form.error === 'multiplicative' || form.season === 'multiplicative';
  return { level: isMultiplied ? Math.max(level, mean / 10) : level, slope, season };
}
