/** What is known of the truth of the rows that an encoding learns from. */
export interface EncodingTarget {
  /** Class number or value by row of the table; NaN = not known. */
  y: Float64Array;
  /** The classes; 0 for a number. */
  classes: number;
}

/** By category what the target is like among its rows. */
export interface TargetValues {
  /** `[category * width + cell]` */
  values: number[];
  /** What is said of a category that was not seen: the mean of all rows. */
  unknown: number[];
}

/** A number and two classes need one cell, more classes one each. */
export const targetWidth = (classes: number): number => (classes > 2 ? classes : 1);

/**
 * The mean of the target within each category, drawn towards the mean of all rows, the more so the fewer rows there are. `auto` takes
 * the weight from the spread within and between categories (Micci-Barreca 2001, as scikit-learn's `TargetEncoder` does it).
 * @param codes by row the category, -1 = not known
 */
export function fitTargetValues(
  codes: Int32Array,
  { y, classes }: EncodingTarget,
  options: { categories: number; smoothing: number | 'auto'; isWanted?: (row: number) => boolean },
): TargetValues {
  const width = targetWidth(classes);
  const values = new Array<number>(options.categories * width);
  const unknown: number[] = [];
  const rows = [...codes.keys()].filter((row) => !Number.isNaN(y[row]!) && (options.isWanted?.(row) ?? true));
  for (let cell = 0; cell < width; cell++) {
    const truth = (row: number) => (width === 1 ? y[row]! : Number(y[row] === cell));
    const means = smoothedMeans(codes, rows, truth, options);
    unknown.push(means.overall);
    means.byCategory.forEach((value, category) => (values[category * width + cell] = value));
  }
  return { values, unknown };
}

function smoothedMeans(
  codes: Int32Array,
  rows: readonly number[],
  truth: (row: number) => number,
  { categories, smoothing }: { categories: number; smoothing: number | 'auto' },
): { overall: number; byCategory: number[] } {
  const counts = new Float64Array(categories);
  const sums = new Float64Array(categories);
  let total = 0;
  for (const row of rows) {
    total += truth(row);
    if (codes[row]! < 0) continue;
    counts[codes[row]!]!++;
    sums[codes[row]!]! += truth(row);
  }
  const overall = rows.length > 0 ? total / rows.length : 0;
  if (smoothing !== 'auto')
    return {
      overall,
      byCategory: Array.from(counts, (count, at) =>
        count + smoothing === 0 ? overall : (sums[at]! + smoothing * overall) / (count + smoothing),
      ),
    };
  const spread = rows.reduce((sum, row) => sum + (truth(row) - overall) ** 2, 0) / Math.max(1, rows.length);
  const within = new Float64Array(categories);
  for (const row of rows) {
    const code = codes[row]!;
    if (code >= 0) within[code]! += (truth(row) - sums[code]! / counts[code]!) ** 2;
  }
  const byCategory = Array.from(counts, (count, at) => {
    const weight = (spread * count) / (spread * count + within[at]! / count);
    return Number.isNaN(weight) ? overall : weight * (sums[at]! / count) + (1 - weight) * overall;
  });
  return { overall, byCategory };
}
