/** Columns that are worked on together: a panel of `PANEL` rows of `CHUNK` numbers stays in the second cache. */
const PANEL = 48;
const CHUNK = 256;

/**
 * Replaces a symmetric positive definite matrix by its inverse, in place and blocked: A = L Lᵀ, then V = L⁻ᵀ, then A⁻¹ = V Vᵀ.
 * All three steps are products of rows with rows, which is what row-major arrays are quick at; about n³ operations.
 * @param a n x n numbers by row; only the lower triangle and the diagonal are read
 * @throws RangeError where the matrix is not positive definite
 */
export function invertSymmetric(a: Float64Array, n: number): void {
  if (a.length !== n * n) throw new RangeError(`a matrix of ${n} rows needs ${n * n} numbers, got ${a.length}`);
  const pivots = new Float64Array(n);
  const products = new RowProducts(a, n);
  factor(a, n, pivots, products);
  // From here on the strict lower triangle holds L and the rest V.
  invertFactor(a, n, pivots, products);
  multiplyInverses(a, n, products);
}

/** Left-looking Cholesky: the diagonal of L goes to `pivots`, the rest to the strict lower triangle. */
function factor(a: Float64Array, n: number, pivots: Float64Array, products: RowProducts): void {
  for (let left = 0; left < n; left += PANEL) {
    const right = Math.min(n, left + PANEL);
    // Writes above the diagonal of the panel's own square too, which nothing reads before it is overwritten.
    products.subtract({ top: left, bottom: n, left, right, from: 0, to: left }, a, left * n + left, n);
    for (let j = left; j < right; j++) {
      let pivot = a[j * n + j]!;
      for (let k = left; k < j; k++) pivot -= a[j * n + k]! ** 2;
      if (!(pivot > 0 && pivot < Infinity))
        throw new RangeError(`the matrix is not positive definite (pivot ${j} is ${pivot}): add more regularisation`);
      pivots[j] = Math.sqrt(pivot);
      for (let i = j + 1; i < n; i++) {
        let sum = a[i * n + j]!;
        for (let k = left; k < j; k++) sum -= a[i * n + k]! * a[j * n + k]!;
        a[i * n + j] = sum / pivots[j]!;
      }
    }
  }
}

/** Writes V = L⁻ᵀ to the diagonal and above it: `V[j][i] = -(Σ_{j <= k < i} V[j][k] L[i][k]) / L[i][i]`. */
function invertFactor(a: Float64Array, n: number, pivots: Float64Array, products: RowProducts): void {
  for (let i = 0; i < n; i++) {
    a[i * n + i] = 1 / pivots[i]!;
    a.fill(0, i * n + i + 1, i * n + n);
  }
  for (let left = 0; left < n; left += PANEL) {
    const right = Math.min(n, left + PANEL);
    for (let top = 0; top < right; top += PANEL) {
      const bottom = Math.min(right, top + PANEL);
      // Columns that lie wholly in V for all rows of this block; its own triangle is done row by row.
      if (bottom <= left) products.subtract({ top, bottom, left, right, from: bottom, to: left }, a, top * n + left, n);
      for (let j = top; j < bottom; j++) {
        for (let i = Math.max(left, j + 1); i < right; i++) {
          let sum = a[j * n + i]!;
          for (let k = j; k < Math.min(bottom, i); k++) sum -= a[j * n + k]! * a[i * n + k]!;
          for (let k = Math.max(left, bottom); k < i; k++) sum -= a[j * n + k]! * a[i * n + k]!;
          a[j * n + i] = sum / pivots[i]!;
        }
      }
    }
  }
}

/** Overwrites all with V Vᵀ: `P[i][j] = Σ_{k >= i} V[i][k] V[j][k]` for j <= i. */
function multiplyInverses(a: Float64Array, n: number, products: RowProducts): void {
  const diagonal = new Float64Array(n);
  const negative = new Float64Array(PANEL * n);
  for (let top = 0; top < n; top += PANEL) {
    const bottom = Math.min(n, top + PANEL);
    negative.fill(0);
    for (let left = 0; left < bottom; left += PANEL) {
      const right = Math.min(bottom, left + PANEL);
      products.subtract({ top, bottom, left, right, from: bottom, to: n }, negative, left, n);
    }
    for (let i = top; i < bottom; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = -negative[(i - top) * n + j]!;
        for (let k = i; k < bottom; k++) sum += a[i * n + k]! * a[j * n + k]!;
        // The diagonal of V is needed to the end; below it L is not.
        if (i === j) diagonal[i] = sum;
        else a[i * n + j] = sum;
      }
    }
  }
  for (let i = 0; i < n; i++) {
    a[i * n + i] = diagonal[i]!;
    for (let j = 0; j < i; j++) a[j * n + i] = a[i * n + j]!;
  }
}

/** Rows `top` to `bottom` against rows `left` to `right` (at most PANEL of them) over the columns `from` to `to`. */
interface Block {
  top: number;
  bottom: number;
  left: number;
  right: number;
  from: number;
  to: number;
}

/** Products of rows of a matrix with rows of the same matrix. */
class RowProducts {
  private readonly panel = new Float64Array(PANEL * CHUNK);

  constructor(
    private readonly a: Float64Array,
    private readonly n: number,
  ) {}

  /** `out[at + (i - top) * stride + (j - left)] -= Σ_k a[i][k] a[j][k]`; what is written must not be among what is read. */
  subtract({ top, bottom, left, right, from, to }: Block, out: Float64Array, at: number, stride: number): void {
    const { a, n, panel } = this;
    const wide = right - left;
    for (let start = from; start < to; start += CHUNK) {
      const length = Math.min(CHUNK, to - start);
      for (let j = 0; j < wide; j++) {
        const row = (left + j) * n + start;
        panel.set(a.subarray(row, row + length), j * CHUNK);
      }
      let i = top;
      for (; i + 4 <= bottom; i += 4) {
        const place = at + (i - top) * stride;
        let j = 0;
        for (; j + 2 <= wide; j += 2)
          subtractTile(a, i * n + start, n, panel, j * CHUNK, length, out, place + j, stride);
        if (j === wide) continue;
        for (let row = 0; row < 4; row++)
          subtractOne(a, (i + row) * n + start, panel, j * CHUNK, length, out, place + row * stride + j);
      }
      for (; i < bottom; i++) {
        for (let j = 0; j < wide; j++)
          subtractOne(a, i * n + start, panel, j * CHUNK, length, out, at + (i - top) * stride + j);
      }
    }
  }
}

/** Four rows against two of the panel: eight running sums fit into the registers. */
function subtractTile(
  a: Float64Array,
  row: number,
  n: number,
  panel: Float64Array,
  column: number,
  length: number,
  out: Float64Array,
  at: number,
  stride: number,
): void {
  let r0 = row;
  let r1 = r0 + n;
  let r2 = r1 + n;
  let r3 = r2 + n;
  let p0 = column;
  let p1 = p0 + CHUNK;
  let s00 = 0;
  let s01 = 0;
  let s10 = 0;
  let s11 = 0;
  let s20 = 0;
  let s21 = 0;
  let s30 = 0;
  let s31 = 0;
  for (const end = p0 + length; p0 < end; p0++, p1++) {
    const b0 = panel[p0]!;
    const b1 = panel[p1]!;
    const a0 = a[r0++]!;
    const a1 = a[r1++]!;
    const a2 = a[r2++]!;
    const a3 = a[r3++]!;
    s00 += a0 * b0;
    s01 += a0 * b1;
    s10 += a1 * b0;
    s11 += a1 * b1;
    s20 += a2 * b0;
    s21 += a2 * b1;
    s30 += a3 * b0;
    s31 += a3 * b1;
  }
  out[at]! -= s00;
  out[at + 1]! -= s01;
  out[at + stride]! -= s10;
  out[at + stride + 1]! -= s11;
  out[at + 2 * stride]! -= s20;
  out[at + 2 * stride + 1]! -= s21;
  out[at + 3 * stride]! -= s30;
  out[at + 3 * stride + 1]! -= s31;
}

function subtractOne(
  a: Float64Array,
  row: number,
  panel: Float64Array,
  column: number,
  length: number,
  out: Float64Array,
  at: number,
): void {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += a[row + k]! * panel[column + k]!;
  out[at]! -= sum;
}
