/** Which parts an exponential smoothing has. */
export interface SmoothingForm {
  error: 'additive' | 'multiplicative';
  trend: 'none' | 'additive' | 'damped';
  season: 'none' | 'additive' | 'multiplicative';
}

/** How fast each part follows, in the error-correction form: `level += alpha × error`, `season += gamma × error`. */
export interface SmoothingParameters {
  alpha: number;
  beta: number;
  gamma: number;
  /** 1 without damping. */
  phi: number;
}

/** What is known at one time: the level, its slope, and one value for each place in the season (at `time mod season`). */
export interface SmoothingStates {
  level: number;
  slope: number;
  season: Float64Array;
}

/** Derivatives of an objective. */
export interface SmoothingGradient extends SmoothingParameters, SmoothingStates {}

/**
 * The recursion of exponential smoothing in Hyndman's taxonomy (Hyndman, Koehler, Ord and Snyder 2008), with reverse-mode
 * derivatives of its likelihood, so that parameters and all first states can be found by a gradient method in a few dozen passes.
 * Additive and multiplicative errors give the same point forecasts for the same parameters; they differ in the likelihood only.
 */
export class SmoothingRecursion {
  private readonly levels: Float64Array;
  private readonly slopes: Float64Array;
  private readonly seasons: Float64Array;
  private readonly errors: Float64Array;
  private readonly ring: Float64Array;

  /**
   * @param values without gaps; above 0 where the error or the season is multiplicative
   * @param period places in the season, 1 without
   */
  constructor(
    private readonly values: Float64Array,
    private readonly form: SmoothingForm,
    private readonly period: number,
  ) {
    const n = values.length;
    this.levels = new Float64Array(n);
    this.slopes = new Float64Array(n);
    this.seasons = new Float64Array(n);
    this.errors = new Float64Array(n);
    this.ring = new Float64Array(period);
  }

  /**
   * Runs over the values.
   * @returns -2 × log likelihood without its constants, Infinity where a state leaves its range; and the states after the last value
   */
  run(parameters: SmoothingParameters, first: SmoothingStates): { deviance: number; last: SmoothingStates } {
    const { values, form, period, ring, errors } = this;
    const { alpha, beta, gamma, phi } = parameters;
    const isMultiplied = form.season === 'multiplicative';
    const hasSeason = form.season !== 'none';
    let { level, slope } = first;
    if (hasSeason) ring.set(first.season);
    let squares = 0;
    let logs = 0;
    for (let t = 0, place = 0; t < values.length; t++, place = place + 1 === period ? 0 : place + 1) {
      const season = hasSeason ? ring[place]! : 0;
      this.levels[t] = level;
      this.slopes[t] = slope;
      this.seasons[t] = season;
      const base = level + phi * slope;
      const mu = isMultiplied ? base * season : base + season;
      const error = values[t]! - mu;
      errors[t] = error;
      const byBase = isMultiplied ? error / season : error;
      level = base + alpha * byBase;
      slope = phi * slope + beta * byBase;
      if (hasSeason) ring[place] = season + gamma * (isMultiplied ? error / base : error);
      if (form.error === 'additive') squares += error * error;
      else {
        const ratio = error / mu;
        squares += ratio * ratio;
        logs += Math.log(Math.abs(mu));
        if (!(mu > 0)) return { deviance: Infinity, last: first };
      }
      if (isMultiplied && !(base > 0 && ring[place]! > 0)) return { deviance: Infinity, last: first };
    }
    const deviance = values.length * Math.log(squares / values.length + TINY) + 2 * logs;
    const last = { level, slope, season: ring.slice() };
    return { deviance: Number.isFinite(deviance) ? deviance : Infinity, last };
  }

  /** One-step errors of the last run. */
  residuals(): Float64Array {
    return this.errors.slice();
  }

  /** Derivatives of the deviance of the last run with the same parameters. */
  differentiate({ alpha, beta, gamma, phi }: SmoothingParameters): SmoothingGradient {
    const { form, period } = this;
    const n = this.values.length;
    const isMultiplied = form.season === 'multiplicative';
    const isRelative = form.error === 'multiplicative';
    const hasSeason = form.season !== 'none';
    const weight = (2 * n) / (this.sumOfSquares() + n * TINY);
    const toSeason = new Float64Array(period);
    const sums = { alpha: 0, beta: 0, gamma: 0, phi: 0 };
    let [toLevel, toSlope] = [0, 0];
    for (let t = n - 1; t >= 0; t--) {
      const place = t % period;
      const slope = this.slopes[t]!;
      const season = this.seasons[t]!;
      const base = this.levels[t]! + phi * slope;
      const error = this.errors[t]!;
      const mu = isMultiplied ? base * season : base + season;
      const afterSeason = toSeason[place]!;
      const byLevel = isMultiplied ? season : 1;
      const bySeason = isMultiplied ? base : 1;
      const ownError = isRelative ? (weight * error) / (mu * mu) : weight * error;
      const ownMu = isRelative ? (2 - weight * (error / mu) ** 2) / mu : 0;
      const toError = ownError + (alpha * toLevel + beta * toSlope) / byLevel + (gamma * afterSeason) / bySeason;
      sums.alpha += (error / byLevel) * toLevel;
      sums.beta += (error / byLevel) * toSlope;
      sums.gamma += (error / bySeason) * afterSeason;
      const toMu = ownMu - toError;
      let toBase = toLevel + toMu * byLevel;
      if (isMultiplied) toBase -= (gamma * error * afterSeason) / (base * base);
      if (hasSeason) {
        toSeason[place] = afterSeason + toMu * bySeason;
        if (isMultiplied) toSeason[place]! -= ((alpha * toLevel + beta * toSlope) * error) / (season * season);
      }
      sums.phi += slope * (toSlope + toBase);
      toSlope = phi * (toSlope + toBase);
      toLevel = toBase;
    }
    return { ...sums, level: toLevel, slope: toSlope, season: toSeason };
  }

  private sumOfSquares(): number {
    let squares = 0;
    for (let t = 0; t < this.errors.length; t++) {
      const error = this.errors[t]!;
      if (this.form.error === 'additive') squares += error * error;
      else {
        const ratio = error / (this.values[t]! - error);
        squares += ratio * ratio;
      }
    }
    return squares;
  }
}

/** Keeps the logarithm finite where a series is followed without any error; values are scaled to about 1. */
const TINY = 1e-18;

/** The next values from the states after the last one. */
export function extrapolateSmoothing(
  form: SmoothingForm,
  { phi }: SmoothingParameters,
  { level, slope, season }: SmoothingStates,
  nextPlace: number,
  horizon: number,
): Float64Array {
  const forecast = new Float64Array(horizon);
  let [damped, power] = [0, 1];
  for (let step = 0; step < horizon; step++) {
    power *= phi;
    damped += power;
    const base = level + (form.trend === 'none' ? 0 : damped * slope);
    const part = form.season === 'none' ? 0 : season[(nextPlace + step) % season.length]!;
    forecast[step] = form.season === 'multiplicative' ? base * part : base + part;
  }
  return forecast;
}
