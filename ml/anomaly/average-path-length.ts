const PATH_LENGTHS = [0, 0, 1];
const LONGEST_TABLE = 65_536;
const EULER = 0.5772156649015329;

/**
 * c(n): the mean number of cuts that isolate one of n rows, which is that of an unsuccessful search in a binary search tree:
 * 2 H(n - 1) - 2 (n - 1) / n with the exact harmonic number (Liu et al. 2008, equation 1).
 */
export function averagePathLength(rows: number): number {
  for (let n = PATH_LENGTHS.length; n <= Math.min(rows, LONGEST_TABLE); n++) {
    PATH_LENGTHS.push(PATH_LENGTHS[n - 1]! + 2 / n);
  }
  if (rows <= LONGEST_TABLE) return PATH_LENGTHS[rows]!;
  const k = rows - 1;
  // Above the table the expansion of H(k) is exact to the last digits.
  return 2 * (Math.log(k) + EULER + 1 / (2 * k) - 1 / (12 * k * k)) - (2 * k) / rows;
}
