import type { ColumnChoices, OutlierRule } from './column-choices.js';

/** What is done with one number, in this order: clip, fill, then `(value - center) / scale`. Plain JSON, stored with the model. */
export interface CellSteps {
  lower?: number;
  upper?: number;
  /** Stands for a missing value. */
  fill?: number;
  center?: number;
  scale?: number;
}

/** @param value NaN = missing @returns NaN where the value is missing and nothing stands for it */
export function applyCellSteps(steps: CellSteps, value: number): number {
  let result = value;
  if (result !== result) {
    if (steps.fill === undefined) return NaN;
    result = steps.fill;
  } else if (steps.lower !== undefined && result < steps.lower) result = steps.lower;
  else if (steps.upper !== undefined && result > steps.upper) result = steps.upper;
  return steps.scale === undefined ? result : (result - steps.center!) / steps.scale;
}

/**
 * Learns the steps from training values, each from what the step before it leaves: the fill from clipped values, the scale from
 * clipped and filled ones, as a pipeline of scikit-learn's `SimpleImputer` and scalers does.
 * @param values NaN = missing
 * @returns undefined where nothing is to be done
 */
export function fitCellSteps(values: Float64Array, choices: ColumnChoices): CellSteps | undefined {
  const steps: CellSteps = {};
  if (choices.outliers?.action === 'clip') Object.assign(steps, outlierBounds(values, choices.outliers.bounds));
  const clipped = values.map((value) => applyCellSteps(steps, value));
  const fill = fillOf(clipped, choices);
  if (fill !== undefined) steps.fill = fill;
  if (choices.scaling !== 'none') {
    const known = clipped.filter((value) => value === value || fill !== undefined);
    Object.assign(steps, scaleOf(known.map((value) => (value === value ? value : fill!)).sort(), choices.scaling));
  }
  const stored = storable(steps);
  return Object.keys(stored).length > 0 ? stored : undefined;
}

/** Without what no JSON holds: numbers at the end of their range can give infinite means and distances, and zeros a sign. */
function storable(steps: CellSteps): CellSteps {
  const isScaled = Number.isFinite(steps.center) && Number.isFinite(steps.scale);
  return Object.fromEntries(
    Object.entries(steps as Record<string, number>)
      .filter(([name, value]) => Number.isFinite(value) && (isScaled || (name !== 'center' && name !== 'scale')))
      .map(([name, value]) => [name, value + 0]),
  );
}

/** The bounds beyond which a value is an outlier; none where no value is known. */
export function outlierBounds(values: Float64Array, rule: OutlierRule): { lower?: number; upper?: number } {
  const sorted = values.filter((value) => value === value).sort();
  if (sorted.length === 0) return {};
  if (rule.by === 'quantiles')
    return { lower: linearQuantile(sorted, rule.lower), upper: linearQuantile(sorted, rule.upper) };
  const [low, high] = [linearQuantile(sorted, 0.25), linearQuantile(sorted, 0.75)];
  return { lower: low - rule.factor * (high - low), upper: high + rule.factor * (high - low) };
}

/** The quantile of sorted values, linear between neighbours, rounded as NumPy does it. @param share 0 to 1 */
export function linearQuantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const a = sorted[below]!;
  const b = sorted[Math.min(below + 1, sorted.length - 1)]!;
  const t = place - below;
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

function fillOf(values: Float64Array, { missing, fillNumber }: ColumnChoices): number | undefined {
  if (missing === 'constant') return fillNumber;
  if (missing === 'keep' || missing === 'drop') return undefined;
  const sorted = values.filter((value) => value === value).sort();
  if (sorted.length === 0) return undefined;
  if (missing === 'mean') return meanOf(sorted);
  return missing === 'median' ? linearQuantile(sorted, 0.5) : modeOfSorted(sorted);
}

/** The most frequent value, the smallest of several. */
function modeOfSorted(sorted: Float64Array): number {
  let best = sorted[0]!;
  let bestCount = 0;
  let start = 0;
  for (let at = 1; at <= sorted.length; at++) {
    if (at < sorted.length && sorted[at] === sorted[start]) continue;
    if (at - start > bestCount) {
      best = sorted[start]!;
      bestCount = at - start;
    }
    start = at;
  }
  return best;
}

const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A spread of nothing but rounding is none, and dividing by it would make noise of equal values: it counts as 1, as in scikit-learn. */
function scaleOf(sorted: Float64Array, scaling: 'standard' | 'minmax' | 'robust'): Pick<CellSteps, 'center' | 'scale'> {
  if (sorted.length === 0) return {};
  const low = sorted[0]!;
  const high = sorted[sorted.length - 1]!;
  const orOne = (spread: number) => (spread < 10 * Number.EPSILON ? 1 : spread);
  if (scaling === 'minmax') return { center: low, scale: orOne(high - low) };
  if (scaling === 'robust') {
    const spread = linearQuantile(sorted, 0.75) - linearQuantile(sorted, 0.25);
    return { center: linearQuantile(sorted, 0.5), scale: orOne(spread) };
  }
  const mean = meanOf(sorted);
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length;
  const noise = sorted.length * Number.EPSILON * variance + (sorted.length * mean * Number.EPSILON) ** 2;
  return { center: mean, scale: variance <= noise ? 1 : Math.sqrt(variance) };
}
