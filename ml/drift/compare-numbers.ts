import { combineTests, describeUntestable } from './column-drift.js';
import type { ColumnDrift, DriftEffect, NumberSample, NumberSummary, TestResult } from './column-drift.js';
import { kolmogorovSmirnov } from './kolmogorov-smirnov.js';
import { missingEffect, missingTest } from './missing-drift.js';
import { shareBins } from './share-bins.js';
import { wasserstein } from './wasserstein.js';

/**
 * How the numbers of a window differ from those of a reference: where they lie (Kolmogorov and Smirnov, with the distance of Wasserstein over
 * the reference's standard deviation as the size), and how many are missing.
 * @param leastRows on each side
 */
export function compareNumbers(
  column: string,
  reference: NumberSample,
  current: NumberSample,
  leastRows = 2,
): ColumnDrift {
  const rows = current.values.length + current.missing;
  const referenceRows = reference.values.length + reference.missing;
  const untestable = describeUntestable(column, { rows, referenceRows, leastRows });
  if (untestable) return untestable;
  const tests: TestResult[] = [];
  const effects: DriftEffect[] = [];
  const summary =
    reference.values.length > 0 && current.values.length > 0
      ? { reference: summarise(reference.values), current: summarise(current.values) }
      : undefined;
  if (summary) {
    const { statistic, pValue } = kolmogorovSmirnov(reference.values, current.values);
    tests.push({ test: 'kolmogorov_smirnov', statistic, p_value: pValue });
    effects.push(shiftOf(wasserstein(reference.values, current.values), summary));
  }
  const missing = {
    reference: { hits: reference.missing, rows: referenceRows },
    current: { hits: current.missing, rows },
  };
  tests.push(...missingTest(missing));
  effects.push(...missingEffect(missing));
  return {
    state: 'compared',
    column,
    kind: 'number',
    rows,
    reference_rows: referenceRows,
    tests,
    p_value: combineTests(tests),
    effects,
    missing: { reference: reference.missing / referenceRows, current: current.missing / rows },
    ...(summary && {
      summary,
      out_of_range: outOfRange(reference.values, current.values),
      distribution: shareBins(reference.values, current.values),
    }),
  };
}

function shiftOf(
  { distance, chance }: { distance: number; chance: number },
  { reference: before, current: { mean } }: { reference: NumberSummary; current: NumberSummary },
): DriftEffect {
  // A column that was constant has no deviation to measure by: any other value is as far away as can be said.
  const scale = before.deviation > 0 ? before.deviation : distance > 0 ? distance : 1;
  const raw = distance / scale;
  return {
    measure: 'wasserstein_per_deviation',
    raw,
    size: before.deviation > 0 ? Math.max(0, distance - chance) / scale : raw,
    direction: mean > before.mean ? 'up' : mean < before.mean ? 'down' : 'none',
  };
}

function summarise(sorted: Float64Array): NumberSummary {
  let mean = 0;
  for (let at = 0; at < sorted.length; at++) mean += (sorted[at]! - mean) / (at + 1);
  let squares = 0;
  for (const value of sorted) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / sorted.length), median: sorted[sorted.length >> 1]! };
}

function outOfRange(reference: Float64Array, current: Float64Array): { below: number; above: number } {
  const least = reference[0]!;
  const most = reference.at(-1)!;
  let below = 0;
  while (below < current.length && current[below]! < least) below++;
  let above = 0;
  while (above < current.length && current[current.length - 1 - above]! > most) above++;
  return { below: below / current.length, above: above / current.length };
}
