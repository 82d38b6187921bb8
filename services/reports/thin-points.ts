/** More points than this are not told apart in a plot, and only make the page heavy. */
export const MOST_POINTS = 200;
/** The same for a series over time: seasons need more points than a smooth curve. */
export const MOST_TIMES = 400;

/**
 * Leaves out the points of a line that its shape needs least, by largest triangles in three buckets (Steinarsson 2013): the
 * first, the last and every spike stay. Points keep their order.
 * @param most at least 3, default 200
 */
export function thinPoints<T>(
  points: readonly T[],
  xOf: (point: T) => number,
  yOf: (point: T) => number,
  most: number = MOST_POINTS,
): T[] {
  if (points.length <= most) return [...points];
  const bucket = (points.length - 2) / (most - 2);
  const startOf = (index: number): number => Math.min(points.length - 1, Math.floor(index * bucket) + 1);
  const kept: T[] = [points[0]!];
  for (let index = 0; index < most - 2; index++) {
    const next = points.slice(startOf(index + 1), Math.max(startOf(index + 2), startOf(index + 1) + 1));
    const nextX = mean(next.map(xOf));
    const nextY = mean(next.map(yOf));
    const last = kept.at(-1)!;
    let best = startOf(index);
    let largest = -1;
    for (let at = startOf(index); at < startOf(index + 1); at++) {
      const point = points[at]!;
      const area = Math.abs(
        (xOf(last) - nextX) * (yOf(point) - yOf(last)) - (xOf(last) - xOf(point)) * (nextY - yOf(last)),
      );
      if (area > largest) [largest, best] = [area, at];
    }
    kept.push(points[best]!);
  }
  kept.push(points.at(-1)!);
  return kept;
}

/** Every k-th of a list, the first and the last among them. */
export function thinEvenly<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, index) => items[Math.round((index * (items.length - 1)) / (most - 1))]!);
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value / values.length;
  return sum;
}
