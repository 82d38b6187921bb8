/**
 * What having one item says about another, as compressed sparse rows: item `h` in a history adds `weight[at]` to the score of
 * `item[at]`, for `at` from `offsets[h]` to `offsets[h + 1]`. Items stand ascending in each row, and none points at itself.
 */
export interface ItemWeights {
  readonly items: number;
  /** `items + 1` numbers. */
  readonly offsets: Int32Array;
  readonly item: Int32Array;
  readonly weight: Float32Array;
}

/** Collects rows of item weights, in the order of the items. */
export class ItemWeightsBuilder {
  private readonly offsets: Int32Array;
  private item: Int32Array;
  private weight: Float32Array;
  private row = 0;
  private count = 0;

  /** @param keep most entries a row: the largest in size stay, of equal ones the lower item */
  constructor(
    private readonly items: number,
    private readonly keep: number,
  ) {
    this.offsets = new Int32Array(items + 1);
    this.item = new Int32Array(1024);
    this.weight = new Float32Array(1024);
  }

  /**
   * Adds the next row.
   * @param candidates items of the row in any order; the list is reordered
   * @param valueOf the weight of an item; zeros are left out
   */
  addRow(candidates: Int32Array, valueOf: (item: number) => number): void {
    let kept = candidates.filter((item) => Math.fround(valueOf(item)) !== 0);
    if (kept.length > this.keep) {
      kept.sort((a, b) => Math.abs(valueOf(b)) - Math.abs(valueOf(a)) || a - b);
      kept = kept.subarray(0, this.keep);
    }
    kept.sort();
    this.reserve(this.count + kept.length);
    for (const item of kept) {
      this.item[this.count] = item;
      this.weight[this.count++] = valueOf(item);
    }
    this.offsets[++this.row] = this.count;
  }

  private reserve(count: number): void {
    if (count <= this.item.length) return;
    const size = Math.max(count, 2 * this.item.length);
    const [item, weight] = [new Int32Array(size), new Float32Array(size)];
    item.set(this.item);
    weight.set(this.weight);
    this.item = item;
    this.weight = weight;
  }

  build(): ItemWeights {
    if (this.row !== this.items) throw new RangeError(`there are ${this.row} rows of ${this.items} items`);
    const { items, offsets, count } = this;
    return { items, offsets, item: this.item.slice(0, count), weight: this.weight.slice(0, count) };
  }
}

/** The weight from one item to another; 0 where none was kept. */
export function weightBetween(weights: ItemWeights, from: number, to: number): number {
  let low = weights.offsets[from]!;
  let high = weights.offsets[from + 1]! - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const item = weights.item[middle]!;
    if (item === to) return weights.weight[middle]!;
    if (item < to) low = middle + 1;
    else high = middle - 1;
  }
  return 0;
}
