import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import { normalQuantile } from '../../ml/evaluate/normal-quantile.js';
import { wilsonInterval } from '../../ml/evaluate/roc.js';
import { binnedRocArea, type ScoreBin } from '../../ml/evaluate/binned-roc-area.js';
import { meanOf, momentsOf, numberOf, tallyOf, type Moments, type Tally } from './tally.js';

const LEVEL = 0.95;
const Z = normalQuantile((1 + LEVEL) / 2);
/** Means of yes or no. */
const SHARES = new Set(['accuracy', 'recall', 'precision', 'coverage', 'hit_rate_at_10']);
/** Parts of other metrics, and no metrics of their own. */
const PARTS = new Set(['squared_error', 'truth']);
/** An estimate is fitted to the loss of as many rows. */
const LEAST_FITTED = 100;

/** What a model's own probabilities let expect. */
export interface ExpectedEstimate extends MetricEstimate {
  method: 'confidence_based' | 'direct_loss';
}

/**
 * The realised metrics of a head from its tally, each with its 95 % interval: Wilson's of shares, else by the variance between rows.
 * `mase` is scaled by the mean step of the truths; `roc_auc` comes from 97 bins of scores, of several classes from those of each against the rest.
 */
export function realisedMetrics(head: Tally): Record<string, MetricEstimate> {
  const metrics: Record<string, MetricEstimate> = {};
  const means = tallyOf(head, 'means');
  for (const name of Object.keys(means).sort())
    if (!PARTS.has(name)) metrics[name] = estimateMean(name, momentsOf(means, name)!);
  const squared = momentsOf(means, 'squared_error');
  if (squared) {
    metrics['rmse'] = rootOf(estimateMean('mse', squared), squared.n);
    metrics['r2'] = determination(squared, momentsOf(means, 'truth')!);
  }
  const step = meanOf(momentsOf(head, 'steps'));
  if (step && step.mean > 0 && metrics['mae']) metrics['mase'] = scaled(metrics['mae'], 1 / step.mean);
  const area = meanArea(head, areaOf);
  if (area) metrics['roc_auc'] = area;
  return metrics;
}

function estimateMean(name: string, moments: Moments): MetricEstimate {
  const { n, sum } = moments;
  const found = meanOf(moments);
  if (!found) return { value: null, lower: null, upper: null, rows: 0 };
  if (SHARES.has(name)) return { value: sum / n, ...wilsonInterval(sum, n, LEVEL), rows: n };
  return around(found.mean, found.error, n);
}

function around(value: number, error: number, rows: number): MetricEstimate {
  const half = Z * error;
  return Number.isFinite(half)
    ? { value, lower: value - half, upper: value + half, rows }
    : { value, lower: null, upper: null, rows };
}

const scaled = ({ value, lower, upper, rows }: MetricEstimate, by: number): MetricEstimate => ({
  value: value === null ? null : value * by,
  lower: lower === null ? null : lower * by,
  upper: upper === null ? null : upper * by,
  rows,
});

function rootOf({ value, lower, upper }: MetricEstimate, rows: number): MetricEstimate {
  const root = (part: number | null) => (part === null ? null : Math.sqrt(Math.max(0, part)));
  return { value: root(value), lower: root(lower), upper: root(upper), rows };
}

/** The share of the variance of the truths that is explained; null where they are all equal. Without an interval: its parts are not independent. */
function determination(squared: Moments, truth: Moments): MetricEstimate {
  const total = truth.squares - (truth.sum * truth.sum) / truth.n;
  const isDefined = total > 1e-12 * Math.max(1, truth.squares);
  return { value: isDefined ? 1 - squared.sum / total : null, lower: null, upper: null, rows: squared.n };
}

function binsOf(head: Tally): ScoreBin[] {
  return Object.entries(tallyOf(head, 'bins'))
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([, bin]) => {
      const part = typeof bin === 'object' ? bin : {};
      const rows = numberOf(part, 'n');
      return { rows, score: numberOf(part, 'score') / rows, positives: numberOf(part, 'truth') };
    });
}

/**
 * The area of a yes or no; of several classes the mean of each against the rest, over those that have one. The widths of their intervals are
 * averaged, too: the same rows make all of them, so that their errors do not cancel out.
 */
function meanArea(
  head: Tally,
  area: (bins: readonly ScoreBin[]) => MetricEstimate | undefined,
): MetricEstimate | undefined {
  const bins = binsOf(head);
  if (bins.length > 0) return area(bins);
  const classes = Object.values(tallyOf(head, 'class_bins')).flatMap((part) => {
    const own = typeof part === 'object' ? binsOf(part) : [];
    return (own.length > 0 && area(own)) || [];
  });
  if (classes.length === 0) return undefined;
  const { rows } = classes[0]!;
  const known = classes.filter(({ value }) => value !== null);
  const mean = (part: 'value' | 'lower' | 'upper') =>
    known.length === 0 ? null : known.reduce((sum, one) => sum + one[part]!, 0) / known.length;
  return { value: mean('value'), lower: mean('lower'), upper: mean('upper'), rows };
}

function areaOf(bins: readonly ScoreBin[]): MetricEstimate {
  const rows = bins.reduce((sum, bin) => sum + bin.rows, 0);
  const found = binnedRocArea(bins);
  if (!found) return { value: null, lower: null, upper: null, rows };
  const { lower, upper } = around(found.area, found.error, rows);
  return { value: found.area, lower: Math.max(0, lower ?? 0), upper: Math.min(1, upper ?? 1), rows };
}

/**
 * What can be expected of a head without any truth: from its probabilities, or of a number from how wide its intervals are, where earlier
 * truths have told the loss a unit of width. Blind to a change of what the inputs mean.
 * @param head the tally of answers
 * @param labelled tallies of outcomes that are known, for the loss a unit of width
 */
export function expectedMetrics(head: Tally, labelled: Tally | undefined): Record<string, ExpectedEstimate> {
  const metrics: Record<string, ExpectedEstimate> = {};
  const expected = tallyOf(head, 'expected');
  for (const name of Object.keys(expected).sort()) {
    const part = tallyOf(expected, name);
    const n = numberOf(part, 'n');
    const error = Math.sqrt(Math.max(0, numberOf(part, 'variance'))) / n;
    metrics[name] = { ...around(numberOf(part, 'sum') / n, error, n), method: 'confidence_based' };
  }
  const area = meanArea(head, expectedArea);
  if (area && area.value !== null) metrics['roc_auc'] = { ...area, method: 'confidence_based' };
  const direct = directLoss(head, labelled);
  if (direct) metrics['mae'] = { ...direct, method: 'direct_loss' };
  return metrics;
}

/** Each row stands on both sides with its probability, and is not compared with itself. */
function expectedArea(bins: readonly ScoreBin[]): MetricEstimate | undefined {
  const found = binnedRocArea(bins.map((bin) => ({ ...bin, positives: bin.rows * bin.score })));
  if (!found) return undefined;
  const rows = sumOf(bins, (bin) => bin.rows);
  const positives = sumOf(bins, (bin) => bin.rows * bin.score);
  const itself = sumOf(bins, (bin) => bin.rows * bin.score * (1 - bin.score));
  const pairs = positives * (rows - positives);
  if (!(pairs > itself)) return undefined;
  return around((found.area * pairs - itself / 2) / (pairs - itself), found.error, rows);
}

const sumOf = (bins: readonly ScoreBin[], part: (bin: ScoreBin) => number) =>
  bins.reduce((sum, bin) => sum + part(bin), 0);

function directLoss(head: Tally, labelled: Tally | undefined): MetricEstimate | undefined {
  const width = meanOf(momentsOf(head, 'width'));
  const known = momentsOf(labelled, 'width');
  const loss = momentsOf(tallyOf(labelled, 'means'), 'mae');
  if (!width || !known || !loss || loss.n < LEAST_FITTED || known.sum <= 0) return undefined;
  const ratio = loss.sum / known.sum;
  const { mean, error } = meanOf(loss)!;
  // What the ratio does not know weighs more than how the widths vary.
  return around(ratio * width.mean, width.mean * ratio * Math.hypot(error / mean, width.error / width.mean), width.n);
}
