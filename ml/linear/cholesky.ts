/**
 * Factors a symmetric positive definite matrix in place: its lower triangle becomes L with A = L·Lᵀ.
 * @param a `a[row * n + column]`; only the lower triangle is read
 * @returns false where the matrix is not positive definite in double precision
 */
export function factorCholesky(a: Float64Array, n: number): boolean {
  for (let j = 0; j < n; j++) {
    let diagonal = a[j * n + j]!;
    const limit = 1e-14 * diagonal;
    for (let k = 0; k < j; k++) diagonal -= a[j * n + k]! * a[j * n + k]!;
    if (!(diagonal > limit) || !(diagonal > 0)) return false;
    const root = Math.sqrt(diagonal);
    a[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
      a[i * n + j] = sum / root;
    }
  }
  return true;
}

/** Solves L·y = b in place. */
export function solveLower(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= l[i * n + k]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
}

/** Solves A·x = b in place, where `l` is the factor of A. */
export function solveCholesky(l: Float64Array, n: number, b: Float64Array): void {
  solveLower(l, n, b);
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < n; k++) sum -= l[k * n + i]! * b[k]!;
    b[i] = sum / l[i * n + i]!;
  }
}

/** Rows that are multiplied at a time: a few dozen columns of them stay in the second-level cache. */
const BLOCK_ROWS = 1024;

/**
 * Xᵀ·diag(weights)·X of a matrix stored column by column, the lower triangle into `out[i * stride + j]`. Zeros, of which the
 * columns of categories are full, cost nothing.
 * @param cells `cells[column * rows + row]`
 */
export function weightedGram(
  cells: Float64Array,
  rows: number,
  width: number,
  weights: Float64Array,
  out: Float64Array,
  stride: number,
): void {
  const used = new Int32Array(BLOCK_ROWS);
  const weighted = new Float64Array(BLOCK_ROWS);
  for (let i = 0; i < width; i++) out.fill(0, i * stride, i * stride + i + 1);
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const end = Math.min(rows, start + BLOCK_ROWS);
    for (let i = 0; i < width; i++) {
      let count = 0;
      for (let row = start; row < end; row++) {
        const value = weights[row]! * cells[i * rows + row]!;
        if (value === 0) continue;
        used[count] = row;
        weighted[count++] = value;
      }
      if (count > 0) addProducts(cells, rows, i, used, weighted, count, out, i * stride);
    }
  }
}

/** Adds the products of one weighted column with the columns up to it, four at a time, so that each weight is read once. */
function addProducts(
  cells: Float64Array,
  rows: number,
  last: number,
  used: Int32Array,
  weighted: Float64Array,
  count: number,
  out: Float64Array,
  at: number,
): void {
  let j = 0;
  for (; j + 3 <= last; j += 4) {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    const from = j * rows;
    for (let k = 0; k < count; k++) {
      const weight = weighted[k]!;
      const cell = from + used[k]!;
      a += weight * cells[cell]!;
      b += weight * cells[cell + rows]!;
      c += weight * cells[cell + 2 * rows]!;
      d += weight * cells[cell + 3 * rows]!;
    }
    out[at + j]! += a;
    out[at + j + 1]! += b;
    out[at + j + 2]! += c;
    out[at + j + 3]! += d;
  }
  for (; j <= last; j++) {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += weighted[k]! * cells[j * rows + used[k]!]!;
    out[at + j]! += sum;
  }
}
