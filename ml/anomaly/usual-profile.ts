import { SeasonProfile } from './season-profile.js';

/** A week of days, so that no day of the week stands for all. */
const DAYS = 7;
/** Weeks of the median; two are enough to be compared, so that a third one can tell which profile is nearer. */
const [LEAST_WEEKS, WEEKS] = [2, 5];
/** Over how long both are compared before the better one is believed: every day of the week once. */
const COMPARED_MS = 7 * 86_400_000;
/** How much smaller the errors by weeks must be: with fewer values in its median that profile is the noisier one. */
const NEEDED_SHARE = 0.95;

/**
 * What a value usually is at its time: by time of day, or by time of the week once three weeks are known and, over the third and all
 * later ones, that has been nearer to what was measured. Both are compared by what each said beforehand.
 */
export class UsualProfile {
  private readonly byDay = new SeasonProfile(1, DAYS);
  private readonly byWeek = new SeasonProfile(7, WEEKS);
  private dayErrors = 0;
  private weekErrors = 0;
  private comparedFrom = NaN;
  private lastCompared = NaN;

  /** What is usual at a time, from what was added before; NaN before a first whole day. */
  expect(timeMs: number): number {
    const byDay = this.byDay.expect(timeMs);
    if (!this.isWeekly) return byDay;
    const byWeek = this.byWeek.expect(timeMs, LEAST_WEEKS);
    return Number.isNaN(byWeek) ? byDay : byWeek;
  }

  /** Whether the time of the week is what tells. */
  get isWeekly(): boolean {
    return this.lastCompared - this.comparedFrom >= COMPARED_MS && this.weekErrors < NEEDED_SHARE * this.dayErrors;
  }

  add(timeMs: number, value: number): void {
    const byDay = this.byDay.expect(timeMs);
    const byWeek = this.byWeek.expect(timeMs, LEAST_WEEKS);
    if (!Number.isNaN(byDay) && !Number.isNaN(byWeek)) {
      if (Number.isNaN(this.comparedFrom)) this.comparedFrom = timeMs;
      this.lastCompared = timeMs;
      this.dayErrors += Math.abs(value - byDay);
      this.weekErrors += Math.abs(value - byWeek);
    }
    this.byDay.add(timeMs, value);
    this.byWeek.add(timeMs, value);
  }
}
