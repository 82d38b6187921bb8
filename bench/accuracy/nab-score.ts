/** One series as the Numenta Anomaly Benchmark judges it. */
export interface NabSeries {
  /** One score a row, higher = more anomalous; an alarm is a score of at least the threshold. */
  scores: ArrayLike<number>;
  /** First and last row of each labelled window, ascending, without overlap. */
  windows: readonly { first: number; last: number }[];
}

/** The standard profile: a false alarm costs little, a found window counts as much as a missed one costs. */
const FALSE_ALARM_WEIGHT = 0.11;
/** The first 15 % of a series, 750 rows at most, are for learning and not judged. */
const PROBATION = { share: 0.15, rows: 750 };

/** How many rows at the beginning of a series are not judged. */
export const probationOf = (rows: number): number => Math.min(Math.floor(PROBATION.share * rows), PROBATION.rows);

/**
 * The NAB score (A. Lavin, S. Ahmad, 2015) with the one threshold for all series that is best: 100 for finding each window in its
 * first row without a false alarm, 0 for never alarming. The first alarm in a window counts, the more the earlier; each alarm
 * outside costs, less shortly after a window.
 */
export function nabScore(series: readonly NabSeries[]): { score: number; threshold: number; windows: number } {
  const points: { score: number; weight: number; window: number }[] = [];
  let windows = 0;
  for (const one of series) windows = addPoints(one, points, windows);
  points.sort((a, b) => b.score - a.score);
  const found = new Float64Array(windows).fill(-1);
  let total = -windows;
  let best = { total, threshold: Infinity };
  points.forEach(({ score, weight, window }, at) => {
    if (window < 0) total += weight;
    else if (weight > found[window]!) {
      total += weight - found[window]!;
      found[window] = weight;
    }
    if (points[at + 1]?.score !== score && total > best.total) best = { total, threshold: score };
  });
  return { score: (100 * (best.total + windows)) / (2 * windows), threshold: best.threshold, windows };
}

function addPoints(
  { scores, windows }: NabSeries,
  points: { score: number; weight: number; window: number }[],
  firstWindow: number,
): number {
  const probation = probationOf(scores.length);
  let counted = firstWindow;
  let next = 0;
  let number = -1;
  for (let row = 0; row < scores.length; row++) {
    while (next < windows.length && row > windows[next]!.last) {
      next++;
      number = -1;
    }
    const current = windows[next];
    const isInside = current !== undefined && row >= current.first;
    if (row < probation) continue;
    if (isInside) {
      if (number < 0) number = counted++;
      const width = current.last - current.first + 1;
      const weight = sigmoid(-(current.last - row + 1) / width) / sigmoid(-1);
      points.push({ score: scores[row]!, weight, window: number });
    } else {
      const before = windows[next - 1];
      const past = before ? (row - before.last) / (before.last - before.first) : Infinity;
      points.push({ score: scores[row]!, weight: FALSE_ALARM_WEIGHT * sigmoid(past), window: -1 });
    }
  }
  return counted;
}

/** From 1 well before the end of a window over 0 at its end to -1 far behind it. */
function sigmoid(position: number): number {
  return position >= 3 ? -1 : 2 / (1 + Math.exp(5 * position)) - 1;
}
