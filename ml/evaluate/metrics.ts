import { bootstrapIntervals, quantileOfSorted, resampledMean } from './bootstrap.js';
import type { Interval, ResampledStatistic } from './bootstrap.js';
import { calibrationError, reliabilityBin, reliabilityBins } from './reliability.js';
import { delongInterval, rocArea, sortedOrder, wilsonInterval } from './roc.js';

export { compareToBaseline } from './compare-to-baseline.js';
export { reliabilityBins } from './reliability.js';

/** A figure with its interval. */
export interface MetricEstimate {
  /** Null where the rows do not define it, such as an AUC of one class. */
  value: number | null;
  lower: number | null;
  upper: number | null;
  /** Rows it rests on. */
  rows: number;
}

/** Probabilities are cut off here before a logarithm is taken, as scikit-learn does for doubles. */
const LEAST_PROBABILITY = 2.220446049250313e-16;

/** Rows are resampled; the class shares and bins then vary as they would in new data. */
const ECE_BINS = 10;

/**
 * Judges class probabilities. Keys: `roc_auc` (two classes, or the mean of one class against the rest over all classes),
 * `average_precision` (two classes), `accuracy`, `log_loss` (nats), `brier` (two classes: of the second; else summed over the
 * classes), `ece` (10 bins of the likeliest class's probability), `majority_rate` (the accuracy of always answering the most
 * frequent class). Intervals: DeLong for the AUC, Wilson for shares, bootstrap for the rest.
 * @param input.probabilities `[row * classes + class]`
 * @param input.labels class numbers
 * @param input.level of the intervals, default 0.95
 */
export function evaluateClassification(input: {
  probabilities: Float64Array;
  labels: Float64Array;
  classes: number;
  seed: number;
  level?: number;
}): Record<string, MetricEstimate> {
  const { probabilities, labels, classes, seed, level = 0.95 } = input;
  const rows = labels.length;
  if (probabilities.length !== rows * classes) {
    throw new RangeError(
      `${rows} rows of ${classes} classes need ${rows * classes} probabilities, got ${probabilities.length}`,
    );
  }
  const perRow = rowLosses(probabilities, labels, classes);
  const metrics: Record<string, MetricEstimate> = { roc_auc: areaEstimate(probabilities, labels, classes, level) };
  const names = ['log_loss', 'brier', 'ece'];
  const statistics = [
    resampledMean(perRow.logLoss),
    resampledMean(perRow.brier),
    resampledError(perRow.confidence, perRow.isRight),
  ];
  const values = [
    mean(perRow.logLoss),
    mean(perRow.brier),
    calibrationError(reliabilityBins(perRow.confidence, perRow.isRight, ECE_BINS)),
  ];
  if (classes === 2) {
    const scores = column(probabilities, classes, 1);
    names.push('average_precision');
    statistics.push(resampledPrecision(scores, labels));
    values.push(averagePrecision(scores, labels));
  }
  const intervals = rows > 0 ? bootstrapIntervals(rows, statistics, values, level, seed) : [];
  names.forEach((name, i) => (metrics[name] = estimate(values[i]!, intervals[i], rows)));
  const right = perRow.isRight.reduce((sum, isRight) => sum + isRight, 0);
  metrics['accuracy'] = share(right, rows, level);
  metrics['majority_rate'] = share(mostFrequent(labels, classes), rows, level);
  return metrics;
}

/**
 * Judges predicted numbers. Keys: `rmse`, `mae`, `median_ae`, `r2` (null where all targets are equal) and `baseline_mae`, the
 * mean absolute error of always answering the median of these targets.
 */
export function evaluateRegression(input: {
  predictions: Float64Array;
  targets: Float64Array;
  seed: number;
  level?: number;
}): Record<string, MetricEstimate> {
  const { predictions, targets, seed, level = 0.95 } = input;
  const rows = targets.length;
  if (predictions.length !== rows)
    throw new RangeError(`there are ${rows} targets but ${predictions.length} predictions: give one a row`);
  const absolute = predictions.map((prediction, row) => Math.abs(prediction - targets[row]!));
  const squared = absolute.map((error) => error * error);
  const median = quantileOfSorted(targets.slice().sort(), 0.5);
  const fromMedian = targets.map((target) => Math.abs(target - median));
  const order = sortedOrder(absolute);
  const meanSquared = resampledMean(squared);
  const statistics: Record<string, ResampledStatistic> = {
    rmse: (drawn, counts) => Math.sqrt(meanSquared(drawn, counts)),
    mae: resampledMean(absolute),
    r2: resampledDetermination(squared, targets),
    median_ae: resampledMedian(absolute, order),
    baseline_mae: resampledMean(fromMedian),
  };
  const all = Int32Array.from(targets.keys());
  const once = new Uint8Array(rows).fill(1);
  const names = Object.keys(statistics);
  const values = names.map((name) => (rows > 0 ? statistics[name]!(all, once) : NaN));
  const intervals = rows > 0 ? bootstrapIntervals(rows, Object.values(statistics), values, level, seed) : [];
  return Object.fromEntries(names.map((name, i) => [name, estimate(values[i]!, intervals[i], rows)]));
}

/**
 * Average precision: Σ (recall step) × precision over the distinct scores from high to low, as scikit-learn defines it.
 * NaN without positives.
 */
export function averagePrecision(scores: Float64Array, labels: ArrayLike<number>): number {
  const order = Int32Array.from(scores.keys());
  return resampledPrecision(scores, labels)(order, new Uint8Array(scores.length).fill(1));
}

function estimate(value: number, interval: Interval | undefined, rows: number): MetricEstimate {
  const safe = (number: number | undefined): number | null =>
    number !== undefined && Number.isFinite(number) ? number : null;
  return { value: safe(value), lower: safe(interval?.lower), upper: safe(interval?.upper), rows };
}

function share(count: number, rows: number, level: number): MetricEstimate {
  return rows > 0 ? estimate(count / rows, wilsonInterval(count, rows, level), rows) : estimate(NaN, undefined, rows);
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function column(probabilities: Float64Array, classes: number, c: number): Float64Array {
  return Float64Array.from({ length: probabilities.length / classes }, (_, row) => probabilities[row * classes + c]!);
}

function mostFrequent(labels: Float64Array, classes: number): number {
  const counts = new Float64Array(classes);
  for (const label of labels) counts[label]!++;
  return Math.max(0, ...counts);
}

function rowLosses(probabilities: Float64Array, labels: Float64Array, classes: number) {
  const rows = labels.length;
  const logLoss = new Float64Array(rows);
  const brier = new Float64Array(rows);
  const confidence = new Float64Array(rows);
  const isRight = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const label = labels[row]!;
    let best = 0;
    let squares = 0;
    for (let c = 0; c < classes; c++) {
      const p = probabilities[row * classes + c]!;
      if (p > probabilities[row * classes + best]!) best = c;
      squares += (p - (c === label ? 1 : 0)) ** 2;
    }
    const stated = Math.min(1 - LEAST_PROBABILITY, Math.max(LEAST_PROBABILITY, probabilities[row * classes + label]!));
    logLoss[row] = -Math.log(stated);
    brier[row] = classes === 2 ? (probabilities[row * 2 + 1]! - label) ** 2 : squares;
    confidence[row] = probabilities[row * classes + best]!;
    isRight[row] = best === label ? 1 : 0;
  }
  return { logLoss, brier, confidence, isRight };
}

function areaEstimate(
  probabilities: Float64Array,
  labels: Float64Array,
  classes: number,
  level: number,
): MetricEstimate {
  const rows = labels.length;
  const influence = new Float64Array(rows);
  let sum = 0;
  let used = 0;
  let rarest = Infinity;
  // Of two classes the first one's curve is the second one's mirrored: one is enough.
  for (let c = classes === 2 ? 1 : 0; c < classes; c++) {
    const isPositive = Uint8Array.from(labels, (label) => (label === c ? 1 : 0));
    const { area, influence: part } = rocArea(column(probabilities, classes, c), isPositive);
    if (Number.isNaN(area)) continue;
    const positives = isPositive.reduce((count, flag) => count + flag, 0);
    rarest = Math.min(rarest, positives, rows - positives);
    sum += area;
    used++;
    for (let row = 0; row < rows; row++) influence[row]! += part[row]!;
  }
  if (used === 0) return estimate(NaN, undefined, rows);
  return estimate(
    sum / used,
    delongInterval(
      sum / used,
      influence.map((part) => part / used),
      rarest,
      level,
    ),
    rows,
  );
}

function resampledError(confidence: Float64Array, isRight: Uint8Array): ResampledStatistic {
  const bins = Uint8Array.from(confidence, (p) => reliabilityBin(p, ECE_BINS));
  const gaps = new Float64Array(ECE_BINS);
  return (order, counts) => {
    gaps.fill(0);
    let n = 0;
    for (let i = 0; i < order.length; i++) {
      const row = order[i]!;
      gaps[bins[row]!]! += counts[i]! * (confidence[row]! - isRight[row]!);
      n += counts[i]!;
    }
    return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / n;
  };
}

function resampledPrecision(scores: Float64Array, labels: ArrayLike<number>): ResampledStatistic {
  let ranked: { of: Int32Array; ranks: Int32Array } | undefined;
  return (order, counts) => {
    if (ranked?.of !== order)
      ranked = { of: order, ranks: sortedOrder(Float64Array.from(order, (row) => -scores[row]!)) };
    let positives = 0;
    let all = 0;
    let sum = 0;
    let pending = 0;
    const { ranks } = ranked;
    for (let k = 0; k < ranks.length; k++) {
      const i = ranks[k]!;
      const row = order[i]!;
      all += counts[i]!;
      pending += counts[i]! * (labels[row] === 1 ? 1 : 0);
      // Rows of equal score come as one step.
      if (k + 1 < ranks.length && scores[order[ranks[k + 1]!]!] === scores[row]) continue;
      if (pending > 0) {
        positives += pending;
        sum += (pending * positives) / all;
        pending = 0;
      }
    }
    return positives > 0 ? sum / positives : NaN;
  };
}

function resampledDetermination(squared: Float64Array, targets: Float64Array): ResampledStatistic {
  const shift = targets[0] ?? 0;
  return (order, counts) => {
    let n = 0;
    let errors = 0;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < order.length; i++) {
      const target = targets[order[i]!]! - shift;
      n += counts[i]!;
      errors += counts[i]! * squared[order[i]!]!;
      sum += counts[i]! * target;
      squares += counts[i]! * target * target;
    }
    const spread = squares - (sum * sum) / n;
    return spread > 1e-12 * squares ? 1 - errors / spread : NaN;
  };
}

function resampledMedian(values: Float64Array, ascending: Int32Array): ResampledStatistic {
  return (order, counts) => {
    const weight = new Float64Array(values.length);
    let n = 0;
    for (let i = 0; i < order.length; i++) {
      weight[order[i]!]! += counts[i]!;
      n += counts[i]!;
    }
    let seen = 0;
    let low = NaN;
    for (const row of ascending) {
      if (weight[row] === 0) continue;
      seen += weight[row]!;
      // The two middle values of an even count may lie in different rows.
      if (Number.isNaN(low) && seen >= n / 2) {
        if (seen > n / 2) return values[row]!;
        low = values[row]!;
      } else if (!Number.isNaN(low)) {
        return (low + values[row]!) / 2;
      }
    }
    return low;
  };
}
