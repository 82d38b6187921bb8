import { fitRidge } from '../linear/ridge-regression.js';
import { conformalQuantile } from '../calibrate/conformal.js';

/** What is measured of one series: arrays of one length by measure, and facts beside them such as the count of users. */
export interface MeasuredSeries {
  measures: readonly Float64Array[];
  facts: readonly Float64Array[];
}

/** Forecasts of one measure from the values of now alone. */
export interface CurrentValueHead {
  /** True where "it stays as it is" was no worse on later times. */
  isPersistence: boolean;
  /** By knot: change expected of a feature one deviation above its mean, and of all features at their means. */
  coefficients: number[][];
  intercepts: number[];
  /** By knot, from errors on times that the fit did not see. */
  halfWidths: number[];
  /** Errors (actual - forecast) by knot, of some of those times. */
  errorPaths: number[][];
  /** Mean absolute error there, of the model and of "it stays as it is". */
  error: number;
  persistenceError: number;
  /** Share of values within their interval on the second half of those times, calibrated on the first. */
  coverage: number;
}

/** Forecasts without a history: the values of now, facts, and how the first measure moved lately. */
export interface CurrentValueModel {
  /** Steps ahead at which forecasts are made; between them they are interpolated. */
  knots: number[];
  /** Mean and deviation of each feature: measures, logarithms of facts, trend. */
  means: number[];
  deviations: number[];
  heads: CurrentValueHead[];
}

export interface CurrentValueOptions {
  /** Steps of the shortest season, over which the trend is taken; 12 where there is none. */
  season: number;
  /** Furthest step. */
  horizon: number;
  alpha: number;
}

const KNOTS = [1, 2, 3, 6, 12, 24, 48, 96, 168, 365];
const MOST_EXAMPLES = 3000;
const MOST_PATHS = 40;
/** The last share of the time is for judging. */
const JUDGED_SHARE = 0.35;
const LEAST_EXAMPLES = 40;

interface Example {
  features: Float64Array;
  now: Float64Array;
  /** `[measure][knot]`, NaN where nothing was measured. */
  later: Float64Array[];
  isJudged: boolean;
}

/**
 * Learns how measures go on from their values of now: one ridge regression a measure and step of the change since now. Which of the
 * day's hours it is cannot be known from values alone, so the forecast runs through the middle of the day's swing and intervals hold it.
 * @param group series of one kind, each with the same measures
 * @returns null where the series are too short
 */
export function fitCurrentValueModel(
  group: readonly MeasuredSeries[],
  { season, horizon, alpha }: CurrentValueOptions,
): CurrentValueModel | null {
  const length = Math.max(0, ...group.map(({ measures }) => measures[0]?.length ?? 0));
  const knots = KNOTS.filter((knot) => knot <= horizon && knot <= length / 6);
  const examples = knots.length === 0 ? [] : gatherExamples(group, knots, season, length);
  const fitting = examples.filter(({ isJudged }) => !isJudged);
  const judging = examples.filter(({ isJudged }) => isJudged);
  if (fitting.length < LEAST_EXAMPLES || judging.length < LEAST_EXAMPLES) return null;
  const { means, deviations } = describeFeatures(examples);
  for (const { features } of examples)
    features.forEach((value, k) => (features[k] = Number.isNaN(value) ? 0 : (value - means[k]!) / deviations[k]!));
  const heads = group[0]!.measures.map((_, measure) => fitHead(fitting, judging, measure, knots, alpha));
  return { knots, means, deviations, heads };
}

/** The features as a caller gives them, NaN where not known. */
export function currentFeatures(now: ArrayLike<number>, facts: ArrayLike<number>, trend: number): Float64Array {
  return Float64Array.from([
    ...Array.from(now),
    ...Array.from(facts, (fact) => Math.log1p(Math.max(0, fact))),
    Math.max(-1, Math.min(1, trend)),
  ]);
}

/** How much more of a measure there was in the last season than in the one before, as a share; NaN where that is not known. */
export function trendOf(values: Float64Array, end: number, season: number): number {
  const meanOf = (from: number, until: number): number => {
    let [sum, count] = [0, 0];
    for (let i = Math.max(0, from); i < until; i++) {
      if (Number.isNaN(values[i]!)) continue;
      sum += values[i]!;
      count++;
    }
    return count > 0 ? sum / count : NaN;
  };
  const before = meanOf(end - 2 * season, end - season);
  return before > 0 ? meanOf(end - season, end) / before - 1 : NaN;
}

function gatherExamples(
  group: readonly MeasuredSeries[],
  knots: readonly number[],
  season: number,
  length: number,
): Example[] {
  const furthest = knots.at(-1)!;
  const cut = Math.floor(length * (1 - JUDGED_SHARE));
  const places = group.length * Math.max(1, length - 2 * season - furthest);
  // A stride that shares no factor with a day's hours meets all of them.
  const stride = Math.max(1, Math.ceil(places / MOST_EXAMPLES)) | 1;
  const examples: Example[] = [];
  for (const { measures, facts } of group) {
    const own = measures[0]!.length;
    for (let at = 2 * season; at < own; at += stride) {
      const isJudged = at >= cut;
      // What was fitted on must not reach into the time of judging.
      if (!isJudged && at + furthest >= cut) continue;
      const now = Float64Array.from(measures, (values) => values[at]!);
      if (now.every(Number.isNaN)) continue;
      const features = currentFeatures(
        now,
        facts.map((values) => values[at]!),
        trendOf(measures[0]!, at + 1, season),
      );
      const later = measures.map((values) => Float64Array.from(knots, (knot) => values[at + knot] ?? NaN));
      examples.push({ features, now, later, isJudged });
    }
  }
  return examples;
}

function describeFeatures(examples: readonly Example[]): { means: number[]; deviations: number[] } {
  const width = examples[0]!.features.length;
  const means: number[] = [];
  const deviations: number[] = [];
  for (let k = 0; k < width; k++) {
    const known = examples.map(({ features }) => features[k]!).filter((value) => !Number.isNaN(value));
    const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
    const variance = known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, known.length);
    means.push(mean);
    deviations.push(Math.sqrt(variance) || 1);
  }
  return { means, deviations };
}

function fitHead(
  fitting: readonly Example[],
  judging: readonly Example[],
  measure: number,
  knots: readonly number[],
  alpha: number,
): CurrentValueHead {
  const fits = knots.map((_, knot) => fitKnot(fitting, measure, knot));
  const forecast = (example: Example, knot: number): number =>
    example.now[measure]! + changeAt(fits[knot]!, example.features);
  const errorsOf = (predict: (example: Example, knot: number) => number, rows: readonly Example[]): number[][] =>
    rows.map((example) => knots.map((_, knot) => example.later[measure]![knot]! - predict(example, knot)));
  const learned = errorsOf(forecast, judging);
  const still = errorsOf((example) => example.now[measure]!, judging);
  const [error, persistenceError] = [meanSize(learned), meanSize(still)];
  const isPersistence = !(error < persistenceError);
  const errors = isPersistence ? still : learned;
  const half = errors.length >> 1;
  return {
    isPersistence,
    coefficients: fits.map(({ coefficients }) => coefficients),
    intercepts: fits.map(({ intercept }) => intercept),
    halfWidths: widthsOf(errors, knots, alpha),
    errorPaths: errors.filter(
      (path, k) => k % Math.ceil(errors.length / MOST_PATHS) === 0 && path.every(Number.isFinite),
    ),
    error: isPersistence ? persistenceError : error,
    persistenceError,
    coverage: coverageOf(errors.slice(half), widthsOf(errors.slice(0, half), knots, alpha)),
  };
}

interface KnotFit {
  coefficients: number[];
  intercept: number;
}

const changeAt = ({ coefficients, intercept }: KnotFit, features: Float64Array): number =>
  coefficients.reduce((sum, coefficient, k) => sum + coefficient * features[k]!, intercept);

function fitKnot(examples: readonly Example[], measure: number, knot: number): KnotFit {
  const rows = examples.filter(({ now, later }) => Number.isFinite(later[measure]![knot]! - now[measure]!));
  const width = examples[0]!.features.length;
  if (rows.length < LEAST_EXAMPLES) return { coefficients: new Array<number>(width).fill(0), intercept: 0 };
  const cells = new Float64Array(rows.length * width);
  rows.forEach(({ features }, row) => features.forEach((value, k) => (cells[k * rows.length + row] = value)));
  const means = Array.from({ length: width }, (_, k) =>
    cells.subarray(k * rows.length, (k + 1) * rows.length).reduce((sum, value) => sum + value / rows.length, 0),
  );
  const targets = Float64Array.from(rows, ({ now, later }) => later[measure]![knot]! - now[measure]!);
  const weights = new Float64Array(rows.length).fill(1);
  const fit = fitRidge({ cells, rows: rows.length, width, targets, weights, means }, 'cv');
  return { coefficients: [...fit.coefficients], intercept: fit.intercept };
}

function meanSize(errors: readonly number[][]): number {
  let [sum, count] = [0, 0];
  for (const path of errors)
    for (const error of path) {
      if (Number.isNaN(error)) continue;
      sum += Math.abs(error);
      count++;
    }
  return count > 0 ? sum / count : NaN;
}

function widthsOf(errors: readonly number[][], knots: readonly number[], alpha: number): number[] {
  let least = 0;
  return knots.map((_, knot) => {
    const known = Float64Array.from(errors, (path) => path[knot]!).filter((error) => !Number.isNaN(error));
    // A later step is never surer than an earlier one; with too few errors it is as sure as the largest of them.
    least = Math.max(
      least,
      conformalQuantile(known, alpha) ?? known.reduce((most, e) => Math.max(most, Math.abs(e)), 0),
    );
    return least;
  });
}

function coverageOf(errors: readonly number[][], widths: readonly number[]): number {
  const known = errors.flatMap((path) => path.map((error, knot) => ({ size: Math.abs(error), knot })));
  const measured = known.filter(({ size }) => !Number.isNaN(size));
  return measured.filter(({ size, knot }) => size <= widths[knot]!).length / measured.length;
}

/** A forecast of one measure from the values of now. */
export interface CurrentValueForecast {
  values: Float64Array;
  halfWidths: Float64Array;
  errorPaths: Float64Array[];
}

/**
 * Forecasts one measure from what is known now.
 * @param features as `currentFeatures` gives them
 * @param now the measure's value; NaN where not known: its mean in training stands in
 */
export function forecastFromCurrent(
  model: CurrentValueModel,
  measure: number,
  features: Float64Array,
  now: number,
  horizon: number,
): CurrentValueForecast {
  const { knots, means, deviations } = model;
  const head = model.heads[measure]!;
  const standard = features.map((value, k) => (Number.isNaN(value) ? 0 : (value - means[k]!) / deviations[k]!));
  const start = Number.isNaN(now) ? means[measure]! : now;
  const changes = knots.map((_, knot) =>
    head.isPersistence
      ? 0
      : changeAt({ coefficients: head.coefficients[knot]!, intercept: head.intercepts[knot]! }, standard),
  );
  return {
    values: interpolate(knots, changes, 0, horizon).map((change) => start + change),
    halfWidths: interpolate(knots, head.halfWidths, head.halfWidths[0]!, horizon),
    errorPaths: head.errorPaths.map((path) => interpolate(knots, path, 0, horizon)),
  };
}

/** Straight between the knots, from `before` at step 0; level beyond the last. */
function interpolate(
  knots: readonly number[],
  values: readonly number[],
  before: number,
  horizon: number,
): Float64Array {
  return Float64Array.from({ length: horizon }, (_, index) => {
    const step = index + 1;
    const right = knots.findIndex((knot) => knot >= step);
    if (right < 0) return values.at(-1)!;
    const [fromStep, from] = right === 0 ? [0, before] : [knots[right - 1]!, values[right - 1]!];
    return from + ((values[right]! - from) * (step - fromStep)) / (knots[right]! - fromStep);
  });
}
