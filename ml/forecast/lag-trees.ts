import {
  defaultGradientBoostingParameters,
  fitGradientBoosting,
  predictBoosting,
} from '../ensemble/gradient-boosting.js';
import type { GradientBoosting } from '../ensemble/gradient-boosting.js';
import type { FeatureMatrix } from '../matrix.js';
import { usableSeasons } from './forecaster.js';
import type { FittedForecaster, Forecaster } from './forecaster.js';

/** Which past values a tree may look at, and in steps of how many values it forecasts. */
interface LagLayout {
  /** Values forecast at once: no lag is shorter, so none of them needs another's forecast. */
  block: number;
  lags: number[];
  /** Places in these seasons are features too. */
  seasons: number[];
  /** The mean of so many values before the block is subtracted from lags and target; 0 for none. */
  levelOver: number;
  /** Place of the first value in the whole series. */
  start: number;
}

/** How trees on lags are laid out. */
export interface LagTreeOptions {
  /** `season`: a season at once from earlier seasons only; `step`: value by value, from its own forecasts. */
  block: 'season' | 'step';
  /** True to learn distances from the recent level, so that a series may leave the range it was in. */
  isLevelled: boolean;
}

/** Rows of training; the oldest are left out beyond. */
const MOST_ROWS = 4000;
/** Few small trees: hourly histories of a month are small tables, on which larger ones only remember. */
const TREES = 50;
const LEARNING_RATE = 0.1;
const LEAVES = 8;
const ROWS_OF_A_LEAF = 10;
const BINS = 31;
const LEAST_ROWS = 50;

/** Trees that were grown this many seasons ago still know the series: growing them is most of a backtest. */
const SEASONS_OF_USE = 1;

interface FittedTrees extends FittedForecaster {
  model: GradientBoosting;
  unit: number;
  lags: string;
  /** End of the history that the trees have seen, as a place in the whole series. */
  grownAt: number;
}

/** Boosted trees on lags and places in the seasons (the usual reduction of forecasting to regression; Bontempi et al. 2013). */
export function lagTrees({ block, isLevelled }: LagTreeOptions): Forecaster {
  return {
    name: `trees_by_${block}${isLevelled ? '_levelled' : ''}`,
    fit: (values, seasons, { earlier, start = 0 } = {}) => {
      const layout = layoutFor(values.length, usableSeasons(values.length, seasons), block, isLevelled, start);
      if (!layout) return null;
      const lags = layout.lags.join(', ');
      const end = start + values.length;
      const known = earlier as FittedTrees | undefined;
      const isFresh = known?.lags === lags && end - known.grownAt <= SEASONS_OF_USE * (layout.seasons[0] ?? 12);
      const unit = isFresh ? known.unit : values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length || 1;
      const scaled = values.map((value) => value / unit);
      const model = isFresh ? known.model : fitTrees(scaled, layout);
      if (!model) return null;
      const fitted: FittedTrees = {
        model,
        unit,
        lags,
        grownAt: isFresh ? known.grownAt : end,
        forecast: (horizon) => goOn(model, scaled, layout, horizon).map((value) => value * unit),
        details: { lags, rounds: TREES },
      };
      return fitted;
    },
  };
}

function layoutFor(
  length: number,
  seasons: number[],
  block: LagTreeOptions['block'],
  isLevelled: boolean,
  start: number,
): LagLayout | null {
  const season = seasons[0];
  if (season === undefined) {
    if (block === 'season') return null;
    const lags = [1, 2, 3, 4, 6, 8, 12].filter((lag) => lag <= length / 4);
    return { block: 1, lags, seasons, levelOver: isLevelled ? Math.min(12, length >> 2) : 0, start };
  }
  const longer = seasons.slice(1);
  const lags =
    block === 'step'
      ? [1, 2, 3, season, season + 1, 2 * season, 3 * season, ...longer]
      : [season, season + 1, season + 2, season + 3, 2 * season, 3 * season, ...longer];
  const known = [...new Set(lags)].filter((lag) => lag <= length / 2).sort((a, b) => a - b);
  return { block: block === 'step' ? 1 : season, lags: known, seasons, levelOver: isLevelled ? season : 0, start };
}

/** Features of the value at `at`: lags before the series has begun are missing. */
function writeFeatures(
  values: Float64Array,
  sums: Float64Array,
  at: number,
  layout: LagLayout,
  write: (column: number, value: number) => void,
): number {
  const level = levelBefore(sums, at, layout);
  let column = 0;
  for (const lag of layout.lags) write(column++, at >= lag ? values[at - lag]! - level : NaN);
  for (const season of layout.seasons) write(column++, (at + layout.start) % season);
  return level;
}

/** Mean of the values that are known when the block with `at` begins. */
function levelBefore(sums: Float64Array, at: number, { block, levelOver }: LagLayout): number {
  if (levelOver === 0) return 0;
  const end = Math.max(1, at - block + 1);
  const start = Math.max(0, end - levelOver);
  return (sums[end]! - sums[start]!) / (end - start);
}

function fitTrees(values: Float64Array, layout: LagLayout): GradientBoosting | null {
  const n = values.length;
  const first = Math.max(layout.block + Math.max(1, layout.levelOver), 2 * layout.lags[0]!, n - MOST_ROWS);
  const rows = n - first;
  if (rows < LEAST_ROWS) return null;
  const sums = prefixSums(values, n);
  const x: FeatureMatrix = {
    rows,
    columns: layout.lags.length + layout.seasons.length,
    values: new Float64Array(rows * (layout.lags.length + layout.seasons.length)),
  };
  const y = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const level = writeFeatures(values, sums, first + row, layout, (column, value) => {
      x.values[column * rows + row] = value;
    });
    y[row] = values[first + row]! - level;
  }
  const loss = { kind: 'squared' } as const;
  return fitGradientBoosting({
    x,
    y,
    loss,
    parameters: {
      ...defaultGradientBoostingParameters(loss),
      nEstimators: TREES,
      learningRate: LEARNING_RATE,
      maxLeaves: LEAVES,
      minSamplesLeaf: ROWS_OF_A_LEAF,
      maxBins: BINS,
    },
  });
}

/** Forecasts block by block, each from the values and forecasts before it. */
function goOn(model: GradientBoosting, values: Float64Array, layout: LagLayout, horizon: number): Float64Array {
  const n = values.length;
  const all = new Float64Array(n + horizon);
  all.set(values);
  const sums = new Float64Array(n + horizon + 1);
  sums.set(prefixSums(values, n));
  const columns = layout.lags.length + layout.seasons.length;
  for (let start = n; start < n + horizon; start += layout.block) {
    const rows = Math.min(layout.block, n + horizon - start);
    const x: FeatureMatrix = { rows, columns, values: new Float64Array(rows * columns) };
    const levels = new Float64Array(rows);
    for (let row = 0; row < rows; row++)
      levels[row] = writeFeatures(all, sums, start + row, layout, (column, value) => {
        x.values[column * rows + row] = value;
      });
    const predicted = predictBoosting(model, x);
    for (let row = 0; row < rows; row++) {
      all[start + row] = predicted[row]! + levels[row]!;
      sums[start + row + 1] = sums[start + row]! + all[start + row]!;
    }
  }
  return all.slice(n);
}

function prefixSums(values: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(length + 1);
  for (let i = 0; i < length; i++) sums[i + 1] = sums[i]! + values[i]!;
  return sums;
}
