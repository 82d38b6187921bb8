import { MISSING_BIN } from './binning.js';
import type { BinnedMatrix } from './binning.js';
import { addClasses, addPacked, addPackedFour, addValues, BINS, PACK } from './histogram.js';
import type { BinnedRows } from './histogram.js';
import { scanClasses, scanPacked, scanTwoChannels } from './split.js';
import type { NodeTotals, SplitChoice } from './split.js';

/**
 * How one kind of target is counted, compared and averaged. The grower knows rows, nodes and columns; everything that
 * depends on the target is behind this.
 */
export interface Criterion {
  /** Numbers a histogram keeps for each bin. */
  readonly channels: number;
  /** Numbers a leaf answers with. */
  readonly outputs: number;
  /** Sets each row's sample weight for the next tree (weight times times drawn); rows of weight 0 are never passed on. */
  setRowWeights(rowWeights: RowWeights): void;
  /** Sums up a node's rows into `totals`, which may be known from the parent's cut already. */
  summarise(data: BinnedRows, totals: NodeTotals, known: { count: number; target: number }): void;
  /** Adds rows to the histograms of `columns[first]` and the next ones, from the front of `histogram` on. */
  accumulate(histogram: Float64Array, columns: Int32Array, first: number, count: number, data: BinnedRows): void;
  /**
   * Improves `choice` by the best cut of the histogram at `at`, which it empties when asked to.
   * @returns false where the column is constant in this node
   */
  scan(
    histogram: Float64Array,
    at: number,
    feature: number,
    totals: NodeTotals,
    minLeaf: number,
    choice: SplitChoice,
    isEmptied: boolean,
  ): boolean;
  /** Writes the answer of a leaf that holds these rows. */
  writeLeaf(data: BinnedRows, totals: NodeTotals, out: Float64Array, at: number): void;
}

/** One sample weight a row: small whole numbers, or anything from 0 up. */
export type RowWeights = Uint8Array | Float64Array;

/** Columns counted in one pass over the rows. */
const COLUMNS_AT_ONCE = 8;

/** Scratch for the occupied bins of one column, shared by all scans of a criterion. */
class OccupiedBins {
  readonly occupied = new Uint8Array(BINS);
  readonly low = new Float64Array(BINS);
  readonly high = new Float64Array(BINS);
  count = 0;
  missingLow = 0;
  missingHigh = 0;
}

/** The largest row weight that `BinaryCriterion` takes: weight and class share one byte. */
export const MOST_CODED_WEIGHT = 127;

/** Gini impurity of two classes with small whole-number weights: weight and positives of a bin are packed into one double. */
export class BinaryCriterion implements Criterion {
  readonly channels = 1;
  readonly outputs = 2;
  private readonly codes: number;
  private readonly gradients = Float64Array.from(
    { length: BINS },
    (_, code) => (code >> 1) * (code & 1 ? 1 + PACK : 1),
  );

  constructor(
    private readonly data: BinnedMatrix,
    private readonly labels: Int32Array,
    private readonly classWeights: Float64Array,
  ) {
    this.codes = data.columns * data.columnStep;
  }

  setRowWeights(rowWeights: RowWeights): void {
    const { bins, rowStep } = this.data;
    let at = this.codes;
    for (let row = 0; row < rowWeights.length; row++, at += rowStep)
      bins[at] = 2 * rowWeights[row]! + this.labels[row]!;
  }

  summarise(data: BinnedRows, totals: NodeTotals, known: { count: number; target: number }): void {
    let { count, target } = known;
    if (Number.isNaN(count)) {
      let sum = 0;
      for (let i = data.start; i < data.end; i++) {
        sum += this.gradients[data.bins[data.rows[i]! * data.rowStep + this.codes]!]!;
      }
      target = Math.floor(sum / PACK);
      count = sum - target * PACK;
    }
    totals.count = count;
    totals.sums[1] = target;
    totals.weight = this.classWeights[0]! * (count - target) + this.classWeights[1]! * target;
    totals.isPure = target === 0 || target === count;
  }

  accumulate(histogram: Float64Array, columns: Int32Array, first: number, count: number, data: BinnedRows): void {
    const { columnStep } = this.data;
    const { codes, gradients } = this;
    let done = 0;
    for (; done + 4 <= count; done += 4) {
      const at = first + done;
      const o0 = columns[at]! * columnStep;
      const o1 = columns[at + 1]! * columnStep;
      const o2 = columns[at + 2]! * columnStep;
      const o3 = columns[at + 3]! * columnStep;
      addPackedFour(done === 0 ? histogram : histogram.subarray(done * BINS), data, o0, o1, o2, o3, codes, gradients);
    }
    for (; done < count; done++) {
      addPacked(histogram, done * BINS, data, columns[first + done]! * columnStep, codes, gradients);
    }
  }

  scan(
    histogram: Float64Array,
    at: number,
    feature: number,
    totals: NodeTotals,
    minLeaf: number,
    choice: SplitChoice,
    isEmptied: boolean,
  ): boolean {
    const last = this.data.edges[feature]!.length;
    const [weight0, weight1] = [this.classWeights[0]!, this.classWeights[1]!];
    return scanPacked(choice, feature, histogram, at, last, isEmptied, totals, weight0, weight1, minLeaf);
  }

  writeLeaf(_data: BinnedRows, totals: NodeTotals, out: Float64Array, at: number): void {
    const positive = (totals.sums[1]! * this.classWeights[1]!) / totals.weight;
    out[at] = 1 - positive;
    out[at + 1] = positive;
  }
}

/** Gini impurity of any number of classes, and of fractional weights. */
export class ClassesCriterion implements Criterion {
  readonly channels: number;
  readonly outputs: number;
  private readonly occupied = new Uint8Array(BINS);
  private readonly perClass: Float64Array;
  private readonly missing: Float64Array;
  private readonly left: Float64Array;
  private readonly weights: Float64Array;

  constructor(
    private readonly data: BinnedMatrix,
    private readonly labels: Int32Array,
    private readonly classWeights: Float64Array,
  ) {
    const classes = classWeights.length;
    this.channels = classes;
    this.outputs = classes;
    this.perClass = new Float64Array(BINS * classes);
    this.missing = new Float64Array(classes);
    this.left = new Float64Array(classes);
    this.weights = new Float64Array(data.rows);
  }

  setRowWeights(rowWeights: RowWeights): void {
    this.weights.set(rowWeights);
  }

  summarise({ rows, start, end }: BinnedRows, totals: NodeTotals): void {
    totals.sums.fill(0);
    for (let i = start; i < end; i++) {
      const row = rows[i]!;
      totals.sums[this.labels[row]!]! += this.weights[row]!;
    }
    totals.count = 0;
    totals.weight = 0;
    let present = 0;
    for (let c = 0; c < this.channels; c++) {
      const sum = totals.sums[c]!;
      totals.count += sum;
      totals.weight += sum * this.classWeights[c]!;
      if (sum > 0) present++;
    }
    totals.isPure = present < 2;
  }

  accumulate(histogram: Float64Array, columns: Int32Array, first: number, count: number, data: BinnedRows): void {
    for (let done = 0; done < count; done += COLUMNS_AT_ONCE) {
      const few = columns.subarray(first + done, first + Math.min(count, done + COLUMNS_AT_ONCE));
      const offsets = few.map((column) => column * this.data.columnStep);
      const target = histogram.subarray(done * BINS * this.channels);
      addClasses(target, data, offsets, this.labels, this.channels, this.weights);
    }
  }

  scan(
    histogram: Float64Array,
    at: number,
    feature: number,
    totals: NodeTotals,
    minLeaf: number,
    choice: SplitChoice,
    isEmptied: boolean,
  ): boolean {
    const classes = this.channels;
    const { occupied, perClass, missing } = this;
    const last = this.data.edges[feature]!.length;
    let count = 0;
    for (let bin = 0; bin <= last; bin++) {
      let weight = 0;
      for (let c = 0; c < classes; c++) {
        const w = histogram[at + bin * classes + c]!;
        perClass[count * classes + c] = w;
        weight += w;
      }
      occupied[count] = bin;
      count += +(weight > 0);
    }
    let missingWeight = 0;
    for (let c = 0; c < classes; c++) {
      missing[c] = histogram[at + MISSING_BIN * classes + c]!;
      missingWeight += missing[c]!;
    }
    if (isEmptied) histogram.fill(0, at, at + BINS * classes);
    if (count + (missingWeight > 0 ? 1 : 0) < 2) return false;
    scanClasses(choice, feature, { occupied, count, perClass, missing }, totals, this.classWeights, minLeaf, this.left);
    return true;
  }

  writeLeaf(_data: BinnedRows, totals: NodeTotals, out: Float64Array, at: number): void {
    for (let c = 0; c < this.channels; c++) out[at + c] = (totals.sums[c]! * this.classWeights[c]!) / totals.weight;
    // Of two classes only the second one's answer is stored.
    if (this.channels === 2) out[at] = 1 - out[at + 1]!;
  }
}

/** Variance of a number (CART's squared error). */
export class ValueCriterion implements Criterion {
  readonly channels = 2;
  readonly outputs = 1;
  private readonly found = new OccupiedBins();
  private readonly centred: Float64Array;
  private readonly weightedTargets: Float64Array;
  private readonly weights: Float64Array;

  constructor(
    private readonly data: BinnedMatrix,
    private readonly targets: Float64Array,
  ) {
    // Sums of centred values lose no digits where targets are large and close together.
    let mean = 0;
    for (let row = 0; row < targets.length; row++) mean += (targets[row]! - mean) / (row + 1);
    this.centred = targets.map((target) => target - mean);
    this.weightedTargets = new Float64Array(targets.length);
    this.weights = new Float64Array(targets.length);
  }

  setRowWeights(rowWeights: RowWeights): void {
    this.weights.set(rowWeights);
    for (let row = 0; row < rowWeights.length; row++) this.weightedTargets[row] = rowWeights[row]! * this.centred[row]!;
  }

  summarise({ rows, start, end }: BinnedRows, totals: NodeTotals): void {
    let weight = 0;
    let target = 0;
    const first = this.targets[rows[start]!]!;
    let isPure = true;
    for (let i = start; i < end; i++) {
      const row = rows[i]!;
      weight += this.weights[row]!;
      target += this.weightedTargets[row]!;
      if (this.targets[row] !== first) isPure = false;
    }
    totals.count = weight;
    totals.weight = weight;
    totals.sums[1] = target;
    totals.isPure = isPure;
  }

  accumulate(histogram: Float64Array, columns: Int32Array, first: number, count: number, data: BinnedRows): void {
    for (let done = 0; done < count; done += COLUMNS_AT_ONCE) {
      const few = columns.subarray(first + done, first + Math.min(count, done + COLUMNS_AT_ONCE));
      const offsets = few.map((column) => column * this.data.columnStep);
      const target = histogram.subarray(done * BINS * this.channels);
      addValues(target, data, offsets, this.weightedTargets, this.weights);
    }
  }

  scan(
    histogram: Float64Array,
    at: number,
    feature: number,
    totals: NodeTotals,
    minLeaf: number,
    choice: SplitChoice,
    isEmptied: boolean,
  ): boolean {
    const { found } = this;
    const { occupied, low, high } = found;
    const last = this.data.edges[feature]!.length;
    let count = 0;
    for (let bin = 0; bin <= last; bin++) {
      const weight = histogram[at + 2 * bin]!;
      occupied[count] = bin;
      low[count] = weight;
      high[count] = histogram[at + 2 * bin + 1]!;
      count += +(weight > 0);
    }
    found.count = count;
    found.missingLow = histogram[at + 2 * MISSING_BIN]!;
    found.missingHigh = histogram[at + 2 * MISSING_BIN + 1]!;
    if (isEmptied) histogram.fill(0, at, at + 2 * BINS);
    if (count + (found.missingLow > 0 ? 1 : 0) < 2) return false;
    scanTwoChannels(choice, feature, found, totals, 1, 1, minLeaf);
    return true;
  }

  writeLeaf({ rows, start, end }: BinnedRows, totals: NodeTotals, out: Float64Array, at: number): void {
    const first = this.targets[rows[start]!]!;
    let offset = 0;
    for (let i = start; i < end; i++) offset += this.weights[rows[i]!]! * (this.targets[rows[i]!]! - first);
    out[at] = first + offset / totals.weight;
  }
}
