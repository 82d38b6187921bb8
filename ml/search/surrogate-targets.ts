import { normalQuantile } from '../evaluate/normal-quantile.js';
import { rankTrials } from './rank-trials.js';
import type { Trial } from './trial.js';

/**
 * What a model of the losses learns from: the trials that are worth something, best first, and a number each that is lower for better ones,
 * with mean 0 and variance 1. Of one objective the losses of completed trials that met the constraints, where those above the
 * median are squeezed (how bad a bad trial is says little about where the best lies); trials that were pruned or missed a constraint
 * stand at the worst of them. Of several objectives the place in the ranking, as a normal number.
 */
export function surrogateTargets(history: readonly Trial[]): { trials: readonly Trial[]; targets: Float64Array } {
  const trials = rankTrials(history).ranked;
  const losses = trials.map(({ outcome }) =>
    outcome.state === 'completed' && outcome.violation === 0 ? outcome.losses : undefined,
  );
  const isSingle = losses.every((list) => !list || list.length === 1);
  const measured = losses.flatMap((list) => list?.[0] ?? []);
  if (!isSingle || measured.length < 2) return { trials, targets: standardise(rankScores(trials.length)) };
  const squeezed = squeeze(measured);
  // Best first, so what has a figure stands before what has none.
  const worst = squeezed.at(-1)!;
  return { trials, targets: standardise(Float64Array.from(trials, (_, at) => squeezed[at] ?? worst)) };
}

/** @param sorted rising */
function squeeze(sorted: readonly number[]): number[] {
  const least = sorted[0]!;
  const middle = sorted[sorted.length >> 1]!;
  const scale = middle - least;
  if (!(scale > 0)) return [...sorted];
  return sorted.map((loss) => (loss <= middle ? (loss - middle) / scale : Math.log1p((loss - middle) / scale)));
}

function rankScores(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, at) => normalQuantile((at + 0.5) / count));
}

function standardise(values: Float64Array): Float64Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return values.map((value) => (deviation > 0 ? (value - mean) / deviation : 0));
}
