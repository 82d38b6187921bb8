import { MISSING_BIN } from './binning.js';
import type { BinnedMatrix } from './binning.js';
import { addClasses, addPacked, addPackedFour, addValues, BINS, PACK } from './histogram.js';
import { scanClasses, scanTwoChannels } from './split.js';
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
  setRowWeights(rowWeights: Float64Array): void;
  /** Sums up rows[start, end) into `totals`. */
  summarise(rows: Int32Array, start: number, end: number, totals: NodeTotals): void;
  /** Adds rows[start, end) to the histograms of `columns`, one after the other from the front of `histogram`. */
  accumulate(
    histogram: Float64Array,
    columns: Int32Array,
    first: number,
    count: number,
    rows: Int32Array,
    start: number,
    end: number,
  ): void;
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
  /** Writes the answer of a leaf that holds rows[start, end). */
  writeLeaf(rows: Int32Array, start: number, end: number, totals: NodeTotals, out: Float64Array, at: number): void;
}

/** Scratch for the occupied bins of one column, shared by all scans of a criterion. */
class OccupiedBins {
  readonly occupied = new Uint8Array(BINS);
  readonly low = new Float64Array(BINS);
  readonly high = new Float64Array(BINS);
  count = 0;
  missingLow = 0;
  missingHigh = 0;
}

/** Gini impurity of two classes with whole-number weights: weight and positives of a bin are packed into one double. */
export class BinaryCriterion implements Criterion {
  readonly channels = 1;
  readonly outputs = 2;
  private readonly found = new OccupiedBins();
  private readonly packed: Float64Array;

  constructor(
    private readonly data: BinnedMatrix,
    private readonly labels: Int32Array,
    private readonly classWeights: Float64Array,
  ) {
    this.packed = new Float64Array(data.rows);
  }

  setRowWeights(rowWeights: Float64Array): void {
    const { packed, labels } = this;
    for (let row = 0; row < packed.length; row++) packed[row] = rowWeights[row]! * (labels[row] === 1 ? 1 + PACK : 1);
  }

  summarise(rows: Int32Array, start: number, end: number, totals: NodeTotals): void {
    let sum = 0;
    for (let i = start; i < end; i++) sum += this.packed[rows[i]!]!;
    const positives = Math.floor(sum / PACK);
    const count = sum - positives * PACK;
    totals.count = count;
    totals.sums[1] = positives;
    totals.weight = this.classWeights[0]! * (count - positives) + this.classWeights[1]! * positives;
    totals.isPure = positives === 0 || positives === count;
  }

  accumulate(
    histogram: Float64Array,
    columns: Int32Array,
    first: number,
    count: number,
    rows: Int32Array,
    start: number,
    end: number,
  ): void {
    const { bins, rows: rowCount } = this.data;
    let done = 0;
    for (; done + 4 <= count; done += 4) {
      const at = first + done;
      const four: [number, number, number, number] = [
        columns[at]!,
        columns[at + 1]!,
        columns[at + 2]!,
        columns[at + 3]!,
      ];
      const target = done === 0 ? histogram : histogram.subarray(done * BINS);
      addPackedFour(target, bins, four, rowCount, this.packed, rows, start, end);
    }
    for (; done < count; done++) {
      addPacked(histogram, done * BINS, bins, columns[first + done]! * rowCount, this.packed, rows, start, end);
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
      occupied[count] = bin;
      count += +(histogram[at + bin]! !== 0);
    }
    for (let k = 0; k < count; k++) {
      const value = histogram[at + occupied[k]!]!;
      const positives = Math.floor(value * (1 / PACK));
      low[k] = value - positives * PACK;
      high[k] = positives;
    }
    const missing = histogram[at + MISSING_BIN]!;
    found.missingHigh = Math.floor(missing / PACK);
    found.missingLow = missing - found.missingHigh * PACK;
    found.count = count;
    if (isEmptied) histogram.fill(0, at, at + BINS);
    if (count + (missing > 0 ? 1 : 0) < 2) return false;
    scanTwoChannels(choice, feature, found, totals, this.classWeights[0]!, this.classWeights[1]!, minLeaf);
    return true;
  }

  writeLeaf(_rows: Int32Array, _start: number, _end: number, totals: NodeTotals, out: Float64Array, at: number): void {
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
  private weights: Float64Array = new Float64Array(0);

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
  }

  setRowWeights(rowWeights: Float64Array): void {
    this.weights = rowWeights;
  }

  summarise(rows: Int32Array, start: number, end: number, totals: NodeTotals): void {
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

  accumulate(
    histogram: Float64Array,
    columns: Int32Array,
    first: number,
    count: number,
    rows: Int32Array,
    start: number,
    end: number,
  ): void {
    const stride = BINS * this.channels;
    for (let i = 0; i < count; i++) {
      const offset = columns[first + i]! * this.data.rows;
      addClasses(
        histogram,
        i * stride,
        this.data.bins,
        offset,
        this.labels,
        this.channels,
        this.weights,
        rows,
        start,
        end,
      );
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

  writeLeaf(_rows: Int32Array, _start: number, _end: number, totals: NodeTotals, out: Float64Array, at: number): void {
    for (let c = 0; c < this.channels; c++) out[at + c] = (totals.sums[c]! * this.classWeights[c]!) / totals.weight;
  }
}

/** Variance of a number (CART's squared error). */
export class ValueCriterion implements Criterion {
  readonly channels = 2;
  readonly outputs = 1;
  private readonly found = new OccupiedBins();
  private readonly centred: Float64Array;
  private readonly weightedTargets: Float64Array;
  private weights: Float64Array = new Float64Array(0);

  constructor(
    private readonly data: BinnedMatrix,
    private readonly targets: Float64Array,
  ) {
    // Sums of centred values lose no digits where targets are large and close together.
    let mean = 0;
    for (let row = 0; row < targets.length; row++) mean += (targets[row]! - mean) / (row + 1);
    this.centred = targets.map((target) => target - mean);
    this.weightedTargets = new Float64Array(targets.length);
  }

  setRowWeights(rowWeights: Float64Array): void {
    this.weights = rowWeights;
    for (let row = 0; row < rowWeights.length; row++) this.weightedTargets[row] = rowWeights[row]! * this.centred[row]!;
  }

  summarise(rows: Int32Array, start: number, end: number, totals: NodeTotals): void {
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

  accumulate(
    histogram: Float64Array,
    columns: Int32Array,
    first: number,
    count: number,
    rows: Int32Array,
    start: number,
    end: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const offset = columns[first + i]! * this.data.rows;
      addValues(histogram, i * BINS * 2, this.data.bins, offset, this.weightedTargets, this.weights, rows, start, end);
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

  writeLeaf(rows: Int32Array, start: number, end: number, totals: NodeTotals, out: Float64Array, at: number): void {
    const first = this.targets[rows[start]!]!;
    let offset = 0;
    for (let i = start; i < end; i++) offset += this.weights[rows[i]!]! * (this.targets[rows[i]!]! - first);
    out[at] = first + offset / totals.weight;
  }
}
