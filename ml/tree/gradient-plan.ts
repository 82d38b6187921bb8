import type { FeatureMatrix } from '../matrix.js';
import { pagesFor } from '../wasm/assembler.js';
import { assignBins, findEdges, MISSING_BIN, sampleRows } from './binning.js';
import { isCode } from './code-set.js';

/** How the columns of a matrix are cut: known before any memory is laid out. */
export interface ColumnCuts {
  /** Upper bounds of a numeric column's bins but the last; none for categories. */
  readonly edges: readonly Float64Array[];
  /** Bins of present values, by column. Missing values have the bin behind them, where there are any. */
  readonly binCounts: Int32Array;
  readonly hasMissing: Uint8Array;
  readonly isCategorical: Uint8Array;
}

/** Where everything lies that the threads of one fit share, in bytes of one memory. All of it is plain data. */
export interface GradientPlan extends Omit<ColumnCuts, 'edges'> {
  readonly rows: number;
  readonly columns: number;
  /** Trees that a round grows. */
  readonly margins: number;
  /** Rows count by their whole weights. */
  readonly hasCounts: boolean;
  /** Rows have weights that are no whole numbers. */
  readonly hasWeights: boolean;
  /** Low bits of a bin's second number that count rows; the hessian stands above them. */
  readonly countBits: number;
  /**
   * Columns are taken in blocks. In each a row is a record of at most 64 bytes, so that counting it takes one cache miss: its bins,
   * its count where rows have counts, its pair of derivatives. The first column of each block; one more entry than blocks.
   */
  readonly blocks: Int32Array;
  /** By block, where its records begin, and the bytes of one. The pair is in the last eight. */
  readonly recordsAt: Float64Array;
  readonly recordBytes: Int32Array;
  /** By column, in bytes; one more entry than columns, the last is the size of all histograms of a leaf. */
  readonly histogramOffsets: Int32Array;
  /** Histograms of so many leaves are kept. */
  readonly slots: number;
  readonly at: Readonly<Record<Region, number>>;
  readonly pages: number;
  readonly isShared: boolean;
}

type Region =
  | 'task'
  | 'answers'
  | 'partial'
  | 'leaves'
  | 'table'
  | 'active'
  | 'scratch'
  | 'found'
  | 'columnBins'
  | 'records'
  | 'batch'
  | 'order'
  | 'spare'
  | 'pairs'
  | 'counts'
  | 'weights'
  | 'targets'
  | 'margins'
  | 'histograms';

/** Pairs of derivatives a margin: an even number, because two are worked on at a time. */
export function pairRows(rows: number): number {
  return rows + (rows & 1);
}

/** A bin is two 64-bit integers: the gradient, and the hessian with the count. */
export const BIN_BYTES = 16;
/** What a scan found for one column: six doubles, and the set of codes that go left. */
export const FOUND_BYTES = 96;
/** The most threads that can work on one fit. */
export const MOST_THREADS = 64;
/** A leaf's entry for the update of the margins: first and last row of both kinds, and the value. */
export const LEAF_NUMBERS = 5;

const MOST_RECORD_BYTES = 64;
/** Records gathered at a time: they stay in the first-level cache. */
export const BATCH_ROWS = 64;
const MOST_SLOT_BYTES = 256 * 1024 * 1024;
const MOST_MEMORY_BYTES = 4 * 1024 * 1024 * 1024 - 65_536;

/**
 * Cuts numeric columns by quantiles, as the forest does, and gives each category code its own bin.
 * @param categorical columns that hold codes 0 to 253; others, fractions and NaN count as missing
 * @throws RangeError for a categorical column that is none
 */
export function cutColumns(
  x: FeatureMatrix,
  weights: Float64Array | undefined,
  maxBins: number,
  seed: number,
  categorical: readonly number[] = [],
): ColumnCuts {
  const { rows, columns, values } = x;
  const isCategorical = new Uint8Array(columns);
  for (const column of categorical) {
    if (!(Number.isInteger(column) && column >= 0 && column < columns))
      throw new RangeError(`the categorical column ${column} is not one of the ${columns} columns`);
    isCategorical[column] = 1;
  }
  const binCounts = new Int32Array(columns);
  const hasMissing = new Uint8Array(columns);
  const edges: Float64Array[] = [];
  const sample = sampleRows(rows, seed);
  for (let column = 0; column < columns; column++) {
    const cells = values.subarray(column * rows, (column + 1) * rows);
    if (isCategorical[column] === 1) {
      edges.push(new Float64Array(0));
      for (const code of cells) {
        if (isCode(code)) binCounts[column] = Math.max(binCounts[column]!, code + 1);
        else hasMissing[column] = 1;
      }
    } else {
      edges.push(findEdges(cells, weights, sample, maxBins));
      binCounts[column] = edges[column]!.length + 1;
      for (let row = 0; row < rows && hasMissing[column] === 0; row++)
        if (cells[row] !== cells[row]) hasMissing[column] = 1;
    }
  }
  return { edges, binCounts, hasMissing, isCategorical };
}

/** Decides where everything lies. @throws RangeError where it does not fit into 4 GiB */
export function planMemory(
  x: FeatureMatrix,
  cuts: ColumnCuts,
  about: {
    margins: number;
    maxLeaves: number;
    /** The sum of all counts, and whether rows have counts of their own. */
    totalCount: number;
    hasCounts: boolean;
    hasWeights: boolean;
    threads: number;
  },
): GradientPlan {
  const { rows, columns } = x;
  const { margins, maxLeaves, hasCounts, hasWeights, threads } = about;
  const histogramOffsets = new Int32Array(columns + 1);
  for (let c = 0; c < columns; c++)
    histogramOffsets[c + 1] = histogramOffsets[c]! + (cuts.binCounts[c]! + cuts.hasMissing[c]!) * BIN_BYTES;
  const histogramBytes = histogramOffsets[columns]!;
  const slots = Math.min(maxLeaves, Math.max(3, Math.floor(MOST_SLOT_BYTES / Math.max(1, histogramBytes))));
  const { blocks, recordBytes, recordsAt } = cutBlocks(rows, columns, hasCounts);
  const sizes: Record<Region, number> = {
    task: 256,
    answers: MOST_THREADS * 16,
    partial: MOST_THREADS * 32,
    leaves: maxLeaves * LEAF_NUMBERS * 8,
    table: 256,
    active: columns,
    // Each thread counts into its own.
    scratch: threads * histogramBytes,
    batch: threads * BATCH_ROWS * MOST_RECORD_BYTES,
    found: 2 * columns * FOUND_BYTES,
    columnBins: rows * columns,
    records: recordsAt.at(-1)!,
    order: rows * 4,
    // One entry more than rows, because a branchless partition writes one too far.
    spare: rows * 4 + 4,
    pairs: pairRows(rows) * margins * 8,
    counts: hasCounts ? rows * 4 : 0,
    weights: hasWeights ? rows * 8 : 0,
    targets: rows * 8,
    margins: rows * margins * 8,
    histograms: slots * histogramBytes,
  };
  const at = {} as Record<Region, number>;
  let end = 64;
  for (const region of Object.keys(sizes) as Region[]) {
    at[region] = end;
    end += Math.ceil(sizes[region] / 64) * 64 + 64;
  }
  if (end > MOST_MEMORY_BYTES)
    throw new RangeError(
      `${rows} rows x ${columns} columns need ${Math.ceil(end / 2 ** 20)} MiB to learn from, more than 4,095: train on fewer rows or columns`,
    );
  const countBits = Math.max(1, Math.ceil(Math.log2(about.totalCount + 1)));
  const { binCounts, hasMissing, isCategorical } = cuts;
  return {
    rows,
    columns,
    margins,
    hasCounts,
    hasWeights,
    countBits,
    blocks,
    recordBytes,
    recordsAt: recordsAt.slice(0, -1).map((offset) => at.records + offset),
    histogramOffsets,
    slots,
    at,
    pages: pagesFor(end),
    isShared: threads > 1,
    binCounts,
    hasMissing,
    isCategorical,
  };
}

function cutBlocks(rows: number, columns: number, hasCounts: boolean) {
  const behind = hasCounts ? 12 : 8;
  const count = Math.max(1, Math.ceil(columns / (MOST_RECORD_BYTES - behind)));
  const blocks = Int32Array.from({ length: count + 1 }, (_, block) => Math.floor((block * columns) / count));
  const recordBytes = Int32Array.from(
    { length: count },
    (_, block) => 16 * Math.ceil((blocks[block + 1]! - blocks[block]! + behind) / 16),
  );
  const recordsAt = new Float64Array(count + 1);
  for (let block = 0; block < count; block++)
    recordsAt[block + 1] = recordsAt[block]! + pairRows(rows) * recordBytes[block]! + 64;
  return { blocks, recordBytes, recordsAt };
}

/** Writes all bins, column by column and, within each block of columns, into the records of rows. */
export function fillBins(x: FeatureMatrix, cuts: ColumnCuts, plan: GradientPlan, memory: ArrayBufferLike): void {
  const { rows, columns, values } = x;
  const bytes = new Uint8Array(memory);
  for (let column = 0; column < columns; column++) {
    const cells = values.subarray(column * rows, (column + 1) * rows);
    const out = bytes.subarray(plan.at.columnBins + column * rows, plan.at.columnBins + (column + 1) * rows);
    const missing = cuts.binCounts[column]!;
    if (cuts.isCategorical[column] === 1) {
      for (let row = 0; row < rows; row++) out[row] = isCode(cells[row]!) ? cells[row]! : missing;
      continue;
    }
    assignBins(cells, cuts.edges[column]!, out);
    if (cuts.hasMissing[column] === 1)
      for (let row = 0; row < rows; row++) if (out[row] === MISSING_BIN) out[row] = missing;
  }
  for (let block = 0; block + 1 < plan.blocks.length; block++) interleave(plan, bytes, block);
}

/** Copies a block's columns so that a row's bins lie side by side. */
function interleave(plan: GradientPlan, bytes: Uint8Array, block: number): void {
  const { rows, at, blocks } = plan;
  const first = blocks[block]!;
  const width = blocks[block + 1]! - first;
  const step = plan.recordBytes[block]!;
  const to = plan.recordsAt[block]!;
  // A stretch of rows at a time stays in the cache while its columns are written.
  const stretch = 1024;
  for (let start = 0; start < rows; start += stretch) {
    const end = Math.min(rows, start + stretch);
    for (let c = 0; c < width; c++) {
      const from = at.columnBins + (first + c) * rows;
      for (let row = start; row < end; row++) bytes[to + row * step + c] = bytes[from + row]!;
    }
  }
}

/** Writes what each row counts as. */
export function fillCounts(counts: Float64Array, plan: GradientPlan, memory: ArrayBufferLike): void {
  new Uint32Array(memory, plan.at.counts, plan.rows).set(counts);
  const words = new Uint32Array(memory);
  for (let block = 0; block + 1 < plan.blocks.length; block++) {
    const step = plan.recordBytes[block]! / 4;
    const first = plan.recordsAt[block]! / 4 + step - 3;
    for (let row = 0; row < plan.rows; row++) words[first + row * step] = counts[row]!;
  }
}
