import { combineTests, describeUntestable } from './column-drift.js';
import type { ColumnDrift, DriftEffect, NumberSample, NumberSummary, TestResult } from './column-drift.js';
import { kolmogorovSmirnov } from './kolmogorov-smirnov.js';
import { missingEffect, missingTest } from './missing-drift.js';
import { countBelow, shareBins } from './share-bins.js';
import { walkSamples } from './walk-samples.js';

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
    const walk = walkSamples(reference.values, current.values);
    const { statistic, pValue } = kolmogorovSmirnov(walk);
    tests.push({ test: 'kolmogorov_smirnov', statistic, p_value: pValue });
    effects.push(shiftOf(walk, summary));
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

/** The median is never more than a deviation from the mean, so that sums around it lose nothing. */
function summarise(sorted: Float64Array): NumberSummary {
  const n = sorted.length;
  const median = sorted[n >> 1]!;
  let sum = 0;
  let squares = 0;
  for (let at = 0; at < n; at++) {
    const away = sorted[at]! - median;
    sum += away;
    squares += away * away;
  }
  return { mean: median + sum / n, deviation: Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2)), median };
}

function outOfRange(reference: Float64Array, current: Float64Array): { below: number; above: number } {
  const rows = current.length;
  return {
    below: countBelow(current, reference[0]!) / rows,
    above: (rows - countBelow(current, reference.at(-1)!, true)) / rows,
  };
}
