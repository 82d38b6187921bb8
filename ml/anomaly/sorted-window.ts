/** The latest values of a stream in order of size, for counting how many lie below or above any other. */
export class SortedWindow {
  /** The values in the order they came, as a ring. */
  private readonly ring: Float64Array;
  private readonly sorted: Float64Array;
  private next = 0;
  private count = 0;

  /** @param capacity values that are remembered; the oldest is forgotten for each further one */
  constructor(private readonly capacity: number) {
    this.ring = new Float64Array(capacity);
    this.sorted = new Float64Array(capacity);
  }

  get size(): number {
    return this.count;
  }

  /** @param value not NaN */
  add(value: number): void {
    if (this.count === this.capacity) {
      const at = this.countBelow(this.ring[this.next]!);
      this.sorted.copyWithin(at, at + 1, this.count);
      this.count--;
    }
    const at = this.countBelow(value);
    this.sorted.copyWithin(at + 1, at, this.count);
    this.sorted[at] = value;
    this.count++;
    this.ring[this.next] = value;
    this.next = (this.next + 1) % this.capacity;
  }

  countBelow(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  countAtMost(value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** NaN without values. */
  median(): number {
    if (this.count === 0) return NaN;
    const middle = this.count >> 1;
    return this.count % 2 === 1 ? this.sorted[middle]! : (this.sorted[middle - 1]! + this.sorted[middle]!) / 2;
  }

  /** The value with the given share of the others below it, without interpolation; NaN without values. */
  quantile(share: number): number {
    return this.count > 0 ? this.sorted[Math.round(share * (this.count - 1))]! : NaN;
  }

  /** NaN without values. */
  greatest(): number {
    return this.count > 0 ? this.sorted[this.count - 1]! : NaN;
  }
}
