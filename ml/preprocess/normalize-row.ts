/**
 * Divides some cells of a row by their Euclidean length, so that it becomes 1; a row of zeros stays as it is. Missing cells stay
 * missing and do not count.
 * @param columns places of the cells
 */
export function normalizeRow(columns: readonly number[], row: Float64Array): void {
  let squares = 0;
  for (const column of columns) {
    const value = row[column]!;
    if (value === value) squares += value * value;
  }
  if (squares === 0) return;
  const length = Math.sqrt(squares);
  for (const column of columns) row[column]! /= length;
}
