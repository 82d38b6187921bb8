const DAY_MS = 86_400_000;
/** Half an hour: short enough for the flanks of a day's wave, long enough to be met each day by measurements an hour apart at least. */
const SLOTS_A_DAY = 48;

/** Sums and counts of one slot, a place a cycle, the current cycle's last. */
type Slot = { cycle: number; sum: number; count: number }[];

/**
 * What a value usually is at a time of a repeating cycle of days: the median over the last cycles of the means of its half hour. A
 * single odd cycle does not move it. Days are those of UTC; only that they repeat counts.
 */
export class SeasonProfile {
  private readonly slots: Slot[];

  /**
   * @param days of a cycle: 1 or 7
   * @param cycles that the median is over
   */
  constructor(
    private readonly days: number,
    private readonly cycles: number,
  ) {
    this.slots = Array.from({ length: days * SLOTS_A_DAY }, () => []);
  }

  /** What is usual at a time, from cycles before it alone; NaN where fewer than `least` cycles have the slot. */
  expect(timeMs: number, least = 1): number {
    const { cycle, slot } = this.placeOf(timeMs);
    const means = slot
      .filter((one) => one.cycle !== cycle)
      .slice(-this.cycles)
      .map(({ sum, count }) => sum / count)
      .sort((a, b) => a - b);
    if (means.length < least) return NaN;
    const middle = means.length >> 1;
    return means.length % 2 === 1 ? means[middle]! : (means[middle - 1]! + means[middle]!) / 2;
  }

  add(timeMs: number, value: number): void {
    const { cycle, slot } = this.placeOf(timeMs);
    const current = slot.find((one) => one.cycle === cycle);
    if (current) {
      current.sum += value;
      current.count++;
      return;
    }
    slot.push({ cycle, sum: value, count: 1 });
    if (slot.length > this.cycles + 1) slot.shift();
  }

  private placeOf(timeMs: number): { cycle: number; slot: Slot } {
    const length = this.days * DAY_MS;
    const cycle = Math.floor(timeMs / length);
    const place = Math.floor(((timeMs - cycle * length) / DAY_MS) * SLOTS_A_DAY);
    return { cycle, slot: this.slots[Math.min(this.slots.length - 1, place)]! };
  }
}
