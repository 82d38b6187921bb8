import type { FeatureMatrix } from '../matrix.js';

/** How one column of the encoded matrix becomes columns of the design. */
export type DesignFeature = NumberFeature | CategoryFeature;

/** A number: one design column, and one more that says "missing" where training rows lacked it. */
export interface NumberFeature {
  kind: 'number';
  start: number;
  width: number;
  /** True: log(1 + value) is taken first, values below 0 as 0. */
  isLog: boolean;
  /** Design value = (value - mean) / scale; missing = 0, which is the mean. */
  mean: number;
  scale: number;
  /** Ends of the training rows, before scaling: values outside are taken as the nearer end. */
  low: number;
  high: number;
}

/** A category code: a 0/1 design column a level. */
export interface CategoryFeature {
  kind: 'category';
  start: number;
  width: number;
  /** Per code the design column counted from `start`, or -1 for all zeros: a level that no training row had. */
  levels: number[];
  /** The design column of missing codes, or -1 for all zeros. */
  missing: number;
}

/** How a matrix row becomes a row of the design; plain JSON. */
export interface LinearDesign {
  /** One entry a matrix column. */
  features: DesignFeature[];
  /** Design columns. */
  width: number;
  /** Weighted mean of each design column over the training rows. */
  means: number[];
}

/** What may be chosen. */
export interface DesignOptions {
  /** Matrix columns that hold category codes. */
  categorical?: readonly number[];
  /** True to take logarithms of skewed columns without negative values; default true. */
  logSkewed?: boolean;
}

/** A level of less training weight than this is pooled with the others like it: it could not be learnt alone. */
const LEAST_LEVEL_WEIGHT = 5;
/** Most levels with a column of their own; the rest is pooled. */
const MOST_LEVELS = 100;
/** The squares of smaller numbers leave the range of doubles. */
const LEAST_SIZE = 1e-100;
/** Columns less skewed than this are as good as symmetric: 1,000 rows of an exponential distribution have 2, of a normal one 0.1. */
const LEAST_SKEW = 0.5;

/**
 * Learns the design from the training rows: numbers are standardised (after log(1 + x) where no value is negative, the skewness
 * is above 0.5 and the logarithm brings it nearer to 0), missing numbers become the mean and raise an indicator, categories become
 * one column a level with levels of weight below 5 pooled. Rows of weight 0 have no say.
 * @param weights one a row, 0 or more; at least one above 0
 * @throws RangeError for a category column that the matrix lacks, or codes that are no whole numbers from 0
 */
export function fitDesign(x: FeatureMatrix, weights: Float64Array, options: DesignOptions = {}): LinearDesign {
  const categorical = new Set(options.categorical);
  for (const column of categorical) {
    if (!Number.isInteger(column) || column < 0 || column >= x.columns)
      throw new RangeError(`category column ${column} is not one of the matrix's ${x.columns} columns`);
  }
  const design: LinearDesign = { features: [], width: 0, means: [] };
  for (let column = 0; column < x.columns; column++) {
    const values = x.values.subarray(column * x.rows, (column + 1) * x.rows);
    const feature = categorical.has(column)
      ? fitCategory(values, weights, design.width, column)
      : fitNumber(values, weights, design.width, options.logSkewed ?? true);
    design.features.push(feature);
    design.width += feature.width;
  }
  design.means = columnMeans(buildDesign(design, x), x.rows, weights);
  return design;
}

interface Moments {
  weight: number;
  missing: number;
  mean: number;
  deviation: number;
  skew: number;
  low: number;
  high: number;
}

function momentsOf(values: Float64Array, weights: Float64Array, isLog: boolean): Moments {
  const found: Moments = { weight: 0, missing: 0, mean: 0, deviation: 0, skew: 0, low: Infinity, high: -Infinity };
  for (let row = 0; row < values.length; row++) {
    const weight = weights[row]!;
    if (weight === 0) continue;
    const value = readNumber(values[row]!, isLog);
    if (value !== value) {
      found.missing += weight;
      continue;
    }
    found.weight += weight;
    found.mean += (weight * (value - found.mean)) / found.weight;
    if (value < found.low) found.low = value;
    if (value > found.high) found.high = value;
  }
  let squares = 0;
  let cubes = 0;
  for (let row = 0; row < values.length; row++) {
    const value = readNumber(values[row]!, isLog);
    if (value !== value || weights[row] === 0) continue;
    const apart = value - found.mean;
    squares += weights[row]! * apart * apart;
    cubes += weights[row]! * apart * apart * apart;
  }
  found.deviation = Math.sqrt(squares / found.weight);
  found.skew = cubes / found.weight / found.deviation ** 3;
  return found;
}

function readNumber(value: number, isLog: boolean): number {
  // Values near the largest double would overflow the sums of squares.
  // Adding 0 turns -0 into 0, which JSON would do otherwise.
  const finite = (value > 1e100 ? 1e100 : value < -1e100 ? -1e100 : value) + 0;
  return isLog ? Math.log1p(finite < 0 ? 0 : finite) : finite;
}

function fitNumber(values: Float64Array, weights: Float64Array, start: number, mayLog: boolean): NumberFeature {
  let moments = momentsOf(values, weights, false);
  let isLog = false;
  if (mayLog && moments.low >= 0 && moments.skew > LEAST_SKEW) {
    const logged = momentsOf(values, weights, true);
    // Two values are as skewed in logarithms: rounding must not decide.
    isLog = Math.abs(logged.skew) < 0.99 * moments.skew;
    if (isLog) moments = logged;
  }
  // Rounding leaves a constant column a deviation of about 1e-16 of its size.
  const size = Math.max(Math.abs(moments.low), Math.abs(moments.high));
  const isConstant = !(moments.deviation > 1e-12 * size) || size < LEAST_SIZE;
  const hasMissing = moments.missing > 0 && moments.weight > 0;
  const width = hasMissing ? 2 : 1;
  if (moments.weight === 0) return { kind: 'number', start, width, isLog, mean: 0, scale: 1, low: 0, high: 0 };
  const { mean, deviation, low, high } = moments;
  if (isConstant) return { kind: 'number', start, width, isLog, mean: low, scale: 1, low, high: low };
  return { kind: 'number', start, width, isLog, mean, scale: deviation, low, high };
}

function fitCategory(values: Float64Array, weights: Float64Array, start: number, column: number): CategoryFeature {
  const totals: number[] = [];
  let missingWeight = 0;
  for (let row = 0; row < values.length; row++) {
    const code = values[row]!;
    if (weights[row] === 0) continue;
    if (code !== code) {
      missingWeight += weights[row]!;
      continue;
    }
    if (!Number.isInteger(code) || code < 0 || code > MOST_CODE)
      throw new RangeError(`category column ${column} has ${code} in row ${row}: codes are whole numbers from 0`);
    while (totals.length <= code) totals.push(0);
    totals[code]! += weights[row]!;
  }
  const codes = totals.map((_, code) => code).filter((code) => totals[code]! >= LEAST_LEVEL_WEIGHT);
  const kept = codes.sort((a, b) => totals[b]! - totals[a]! || a - b).slice(0, MOST_LEVELS);
  const levels = totals.map(() => -1);
  kept.sort((a, b) => a - b).forEach((code, index) => (levels[code] = index));
  let width = kept.length;
  const isRare = (code: number): boolean => levels[code] === -1 && totals[code]! > 0;
  const rare = totals.map((_, code) => code).filter(isRare);
  if (rare.length > 0) {
    for (const code of rare) levels[code] = width;
    width++;
  }
  const missing = missingWeight >= LEAST_LEVEL_WEIGHT ? width++ : -1;
  return { kind: 'category', start, width, levels, missing };
}

/** Codes above this are a mistake, and would need a table as long. */
const MOST_CODE = 1_000_000;

function columnMeans(cells: Float64Array, rows: number, weights: Float64Array): number[] {
  let total = 0;
  for (const weight of weights) total += weight;
  return Array.from({ length: rows === 0 ? 0 : cells.length / rows }, (_, column) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += weights[row]! * cells[column * rows + row]!;
    // JSON knows no -0.
    return sum / total + 0;
  });
}

/** The design of a whole matrix, column by column: `cells[column * rows + row]`, never NaN. */
export function buildDesign(design: LinearDesign, x: FeatureMatrix): Float64Array {
  const cells = new Float64Array(x.rows * design.width);
  design.features.forEach((feature, column) => {
    for (let row = 0; row < x.rows; row++) {
      const value = x.values[column * x.rows + row]!;
      if (feature.kind === 'number') {
        cells[feature.start * x.rows + row] = standardise(feature, value);
        if (feature.width === 2 && value !== value) cells[(feature.start + 1) * x.rows + row] = 1;
      } else {
        const level = levelOf(feature, value);
        if (level >= 0) cells[(feature.start + level) * x.rows + row] = 1;
      }
    }
  });
  return cells;
}

/** The design value of a number; 0, the mean, where it is missing. */
export function standardise(feature: NumberFeature, value: number): number {
  const read = readNumber(value, feature.isLog);
  if (read !== read) return 0;
  const inside = read < feature.low ? feature.low : read > feature.high ? feature.high : read;
  return (inside - feature.mean) / feature.scale;
}

/** The design column of a code counted from the feature's first, or -1 where all of them are 0. */
export function levelOf(feature: CategoryFeature, code: number): number {
  return code !== code ? feature.missing : (feature.levels[code] ?? -1);
}
