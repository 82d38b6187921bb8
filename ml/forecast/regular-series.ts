/** Values measured at equal steps. */
export interface RegularSeries {
  /** One value a step, oldest first; NaN where nothing was measured. */
  values: Float64Array;
  /** Time of the first value, milliseconds since 1970. */
  startMs: number;
  /** Milliseconds between two values, above 0. */
  stepMs: number;
}

/** One thing that was done to bring a series onto its grid. */
export interface GridRepair {
  kind: 'sorted' | 'averaged_repeats' | 'dropped_values' | 'moved_to_grid' | 'gaps';
  /** Values concerned; for gaps, the steps without a value. */
  count: number;
}

/** Why a series could not be put on a grid. */
export interface GridRefusal {
  code: 'too_few_points' | 'too_many_steps';
  message: string;
}

export type GridResult = { series: RegularSeries; repairs: GridRepair[] } | { refusal: GridRefusal };

export interface GridOptions {
  /** Milliseconds between two values; the median difference of the times where it is left out. */
  stepMs?: number;
  /** Most steps that the grid may have, gaps included. */
  mostSteps?: number;
}

const MOST_STEPS = 1_000_000;

/**
 * Puts irregular measurements on a regular grid: sorts them, averages those that fall on the same step, and leaves NaN where
 * nothing was measured. Values or times that are not finite are dropped and counted.
 * @param times milliseconds since 1970, in any order, one for each value
 * @returns the series and what was done to it, or the reason why there is no grid
 * @throws RangeError where times and values differ in length, or for a step that is not above 0
 */
export function toRegularSeries(
  times: ArrayLike<number>,
  values: ArrayLike<number>,
  options: GridOptions = {},
): GridResult {
  if (times.length !== values.length)
    throw new RangeError(`there are ${times.length} times but ${values.length} values: give one time a value`);
  if (options.stepMs !== undefined && !(options.stepMs > 0 && options.stepMs < Infinity))
    throw new RangeError(`the step must be above 0 milliseconds, got ${options.stepMs}`);
  const repairs: GridRepair[] = [];
  const repaired = (kind: GridRepair['kind'], count: number): void => {
    if (count > 0) repairs.push({ kind, count });
  };
  const kept = Array.from({ length: times.length }, (_, i) => i).filter(
    (i) => Number.isFinite(times[i]!) && Number.isFinite(values[i]!),
  );
  repaired('dropped_values', times.length - kept.length);
  repaired('sorted', countBackwardSteps(times, kept));
  kept.sort((a, b) => times[a]! - times[b]! || a - b);
  const stepMs = options.stepMs ?? medianDifference(times, kept);
  if (stepMs === undefined)
    return {
      refusal: {
        code: 'too_few_points',
        message: `a series needs measurements at two different times, got ${kept.length}: send a longer history`,
      },
    };
  const startMs = kept.length > 0 ? times[kept[0]!]! : 0;
  const spanMs = kept.length > 0 ? times[kept.at(-1)!]! - startMs : 0;
  const steps = kept.length > 0 ? Math.round(spanMs / stepMs) + 1 : 0;
  if (steps < 2)
    return { refusal: { code: 'too_few_points', message: `a series needs two steps or more, got ${steps}` } };
  if (steps > (options.mostSteps ?? MOST_STEPS))
    return {
      refusal: {
        code: 'too_many_steps',
        message: `from the first to the last time there are ${steps} steps of ${stepMs} ms, more than ${options.mostSteps ?? MOST_STEPS}: give a longer step`,
      },
    };
  const grid = averageOnGrid(times, values, kept, { startMs, stepMs, steps });
  repaired('averaged_repeats', grid.repeats);
  repaired('moved_to_grid', grid.moved);
  repaired('gaps', grid.gaps);
  return { series: { values: grid.values, startMs, stepMs }, repairs };
}

function countBackwardSteps(times: ArrayLike<number>, kept: readonly number[]): number {
  let count = 0;
  for (let k = 1; k < kept.length; k++) if (times[kept[k]!]! < times[kept[k - 1]!]!) count++;
  return count;
}

/** The median of the differences between distinct neighbouring times. */
function medianDifference(times: ArrayLike<number>, sorted: readonly number[]): number | undefined {
  const differences: number[] = [];
  for (let k = 1; k < sorted.length; k++) {
    const difference = times[sorted[k]!]! - times[sorted[k - 1]!]!;
    if (difference > 0) differences.push(difference);
  }
  differences.sort((a, b) => a - b);
  return differences[(differences.length - 1) >> 1];
}

function averageOnGrid(
  times: ArrayLike<number>,
  values: ArrayLike<number>,
  sorted: readonly number[],
  { startMs, stepMs, steps }: { startMs: number; stepMs: number; steps: number },
): { values: Float64Array; repeats: number; moved: number; gaps: number } {
  const sums = new Float64Array(steps);
  const counts = new Int32Array(steps);
  let moved = 0;
  for (const i of sorted) {
    const place = (times[i]! - startMs) / stepMs;
    const step = Math.min(steps - 1, Math.round(place));
    // Clocks that are off by a thousandth of a step are no news.
    if (Math.abs(place - step) > 1e-3) moved++;
    sums[step]! += values[i]!;
    counts[step]!++;
  }
  let [repeats, gaps] = [0, 0];
  for (const count of counts) {
    if (count === 0) gaps++;
    else repeats += count - 1;
  }
  return { values: sums.map((sum, step) => (counts[step] === 0 ? NaN : sum / counts[step]!)), repeats, moved, gaps };
}
