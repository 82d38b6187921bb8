import { tallyAnswer } from '../../core/monitoring/answer-tally.js';
import { expectedMetrics, realisedMetrics } from '../../core/monitoring/metrics-of-tally.js';
import { tallyOutcome } from '../../core/monitoring/outcome-tally.js';
import { tallyOf, type Tally } from '../../core/monitoring/tally.js';
import type { AnsweredSet } from './answered-set.js';

export interface ChunkError {
  chunk: number;
  metric: string;
  /** Estimate less what turned out. */
  error: number;
  /** How far the metric went from that of all rows: what an estimate that knows nothing would be off by. */
  moved: number;
  /** The mean size of the error of an estimate that is right, by the width of its interval. */
  chance: number;
}

const HEADS = [{ name: 'label', task: 'multiclass' }];

/** The estimate of each chunk by the very tallies that the service keeps, and what turned out. */
export function chunkErrors(set: AnsweredSet, chunks: readonly Uint32Array[]): ChunkError[] {
  const usual = realisedOf(
    set,
    Uint32Array.from({ length: set.rows }, (_, row) => row),
  );
  return chunks.flatMap((chunk, at) => {
    const answers: Tally = {};
    for (const row of chunk)
      tallyAnswer(answers, { predictions: predictionOf(set, row), latencyUs: 1, isCached: false, error: null }, HEADS);
    const realised = realisedOf(set, chunk);
    return Object.entries(expectedMetrics(tallyOf(tallyOf(answers, 'heads'), 'label'), undefined)).map(
      ([metric, { value, lower, upper }]) => ({
        chunk: at,
        metric,
        error: value! - (realised[metric]?.value ?? NaN),
        moved: Math.abs((realised[metric]?.value ?? NaN) - usual[metric]!.value!),
        chance: ((upper! - lower!) / 2 / 1.959964) * Math.sqrt(2 / Math.PI),
      }),
    );
  });
}

/** Metrics of rows whose truth is known. */
export function realisedOf(set: AnsweredSet, rows: Uint32Array) {
  const outcomes: Tally = {};
  for (const row of rows)
    tallyOutcome(outcomes, predictionOf(set, row), { label: set.classes[set.truths[row]!]! }, HEADS);
  return realisedMetrics(tallyOf(tallyOf(outcomes, 'heads'), 'label'));
}

function predictionOf({ classes, probabilities }: AnsweredSet, row: number): Record<string, unknown> {
  const own = probabilities.subarray(row * classes.length, (row + 1) * classes.length);
  return {
    label: classes[own.indexOf(Math.max(...own))],
    probabilities: Object.fromEntries(classes.map((name, at) => [name, own[at]])),
  };
}
