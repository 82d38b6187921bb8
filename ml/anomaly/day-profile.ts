const DAY_MS = 86_400_000;
/** Half an hour: short enough for the flanks of a day's wave, long enough to be met each day by measurements an hour apart at least. */
const SLOTS = 48;
/** A week, so that no day of the week stands for all. */
const DAYS = 7;

interface DaySlot {
  /** Sums and counts of this slot, a place a day, the current day's last. */
  days: { day: number; sum: number; count: number }[];
}

/**
 * What a value usually is at a time of day: the median over the last seven days of the slot's daily means. A single odd day does not
 * move it. Days are those of UTC; only that they repeat counts.
 */
export class DayProfile {
  private readonly slots: DaySlot[] = Array.from({ length: SLOTS }, () => ({ days: [] }));

  /** What is usual at a time, from days before it alone; NaN before a first whole day. */
  expect(timeMs: number): number {
    const { day, slot } = placeOf(timeMs);
    const means = slotOf(this.slots, slot)
      .days.filter((one) => one.day !== day)
      .slice(-DAYS)
      .map(({ sum, count }) => sum / count)
      .sort((a, b) => a - b);
    if (means.length === 0) return NaN;
    const middle = means.length >> 1;
    return means.length % 2 === 1 ? means[middle]! : (means[middle - 1]! + means[middle]!) / 2;
  }

  add(timeMs: number, value: number): void {
    const { day, slot } = placeOf(timeMs);
    const { days } = slotOf(this.slots, slot);
    const today = days.find((one) => one.day === day);
    if (today) {
      today.sum += value;
      today.count++;
      return;
    }
    days.push({ day, sum: value, count: 1 });
    if (days.length > DAYS + 1) days.shift();
  }
}

function placeOf(timeMs: number): { day: number; slot: number } {
  const day = Math.floor(timeMs / DAY_MS);
  return { day, slot: Math.min(SLOTS - 1, Math.floor(((timeMs - day * DAY_MS) / DAY_MS) * SLOTS)) };
}

const slotOf = (slots: readonly DaySlot[], slot: number): DaySlot => slots[slot]!;
