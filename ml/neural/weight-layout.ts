/** One matrix of weights, row by row in the flat array of all weights. A bias is a matrix of one row. */
export interface WeightBlock {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly offset: number;
  /** Pulled towards zero while it is trained; biases and thresholds are not. */
  readonly isDecayed: boolean;
}

/** Where each matrix of a network lies. It follows from the network's description alone, so that files need not hold it. */
export interface WeightLayout {
  readonly blocks: readonly WeightBlock[];
  readonly size: number;
}

/** Name, rows, columns. */
export type WeightShape = readonly [name: string, rows: number, columns: number];

/** Lays matrices one after another in the order given. Names that end in `bias` or `thresholds` are not decayed. */
export function layOutWeights(shapes: readonly WeightShape[]): WeightLayout {
  let size = 0;
  const blocks = shapes.map(([name, rows, columns]) => {
    const block = { name, rows, columns, offset: size, isDecayed: !/(bias|thresholds)$/.test(name) };
    size += rows * columns;
    return block;
  });
  return { blocks, size };
}

/**
 * Finds a matrix by name.
 * @throws RangeError where there is none
 */
export function findBlock(layout: WeightLayout, name: string): WeightBlock {
  const block = layout.blocks.find((candidate) => candidate.name === name);
  if (!block) throw new RangeError(`the network has no weights named "${name}"`);
  return block;
}

/** The numbers of one matrix: a view, not a copy. */
export function weightsOf(weights: Float32Array, layout: WeightLayout, name: string): Float32Array {
  const { offset, rows, columns } = findBlock(layout, name);
  return weights.subarray(offset, offset + rows * columns);
}

/** Adds `input * matrix` to `out`. The matrix is [inputs x outputs], row by row; zeros of the input cost nothing. */
export function addProduct(input: ArrayLike<number>, matrix: Float32Array, inputs: number, out: Float64Array): void {
  const outputs = matrix.length / inputs;
  for (let i = 0, at = 0; i < inputs; i++, at += outputs) {
    const value = input[i]!;
    if (value === 0) continue;
    for (let j = 0; j < outputs; j++) out[j] = out[j]! + value * matrix[at + j]!;
  }
}

/** Rows that `addProducts` takes at once. */
export const ROWS_TOGETHER = 4;

/**
 * Adds `input * matrix` to `out` for four rows that lie one behind the other: each weight is loaded once for all of them, and each sum stays
 * in a register. A row's terms are added in the order of `addProduct`, so that its sum is the same to the bit.
 * @param input `[row * inputs + i]`
 * @param out `[row * outputs + j]`
 */
export function addProducts(input: Float64Array, matrix: Float32Array, inputs: number, out: Float64Array): void {
  const outputs = matrix.length / inputs;
  for (let j = 0; j < outputs; j++) {
    let a = out[j]!;
    let b = out[outputs + j]!;
    let c = out[2 * outputs + j]!;
    let d = out[3 * outputs + j]!;
    for (let i = 0, at = j; i < inputs; i++, at += outputs) {
      const weight = matrix[at]!;
      a += input[i]! * weight;
      b += input[inputs + i]! * weight;
      c += input[2 * inputs + i]! * weight;
      d += input[3 * inputs + i]! * weight;
    }
    out[j] = a;
    out[outputs + j] = b;
    out[2 * outputs + j] = c;
    out[3 * outputs + j] = d;
  }
}

/** The logistic function, exact at both ends. */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
