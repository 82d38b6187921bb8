import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeasonProfile } from '../../../ml/anomaly/season-profile.js';
import { UsualProfile } from '../../../ml/anomaly/usual-profile.js';
import { SeriesDetector } from '../../../ml/anomaly/series-detector.js';
import { SortedWindow } from '../../../ml/anomaly/sorted-window.js';
import { createPrng } from '../../../ml/random/prng.js';

const STEP = 300_000;
const DAY = 86_400_000;

/** A day's wave with noise, every five minutes. */
function wave(count: number, seed: number): { times: number[]; values: number[] } {
  const prng = createPrng(seed);
  const times = Array.from({ length: count }, (_, at) => at * STEP);
  return {
    times,
    values: times.map((time) => 10 + 4 * Math.sin((2 * Math.PI * time) / DAY) + 0.3 * prng.nextGaussian()),
  };
}

describe('a series detector', () => {
  it('raises as many alarms on an ordinary series as its p-values state', () => {
    const detector = new SeriesDetector();
    const { times, values } = wave(6000, 1);
    const p = values.map((value, at) => detector.push([value], times[at]!).pValue);
    const after = p.slice(2000);
    const alarms = after.filter((one) => one <= 0.01).length / after.length;
    // Neighbouring sums share most of their windows: alarms come in bursts, so that the rate varies by about half of itself.
    expect(alarms).toBeGreaterThan(0.002);
    expect(alarms).toBeLessThan(0.025);
  });

  it('sees a jump, a silence of the noise, and a value that is odd at its time of day only', () => {
    const odd: Record<string, (value: number, time: number) => number> = {
      jump: (value) => value + 12,
      silence: () => 10,
      'at night as at noon': () => 14.2,
    };
    for (const [name, change] of Object.entries(odd)) {
      const detector = new SeriesDetector();
      const { times, values } = wave(3600, 2);
      // From 18:00 on, where the wave is lowest.
      const from = 3240 + 216 - (3240 % 288);
      let most = 0;
      values.forEach((value, at) => {
        const isOdd = at >= from && at < from + 24;
        const { surprise } = detector.push([isOdd ? change(value, times[at]!) : value], times[at]!);
        if (isOdd) most = Math.max(most, surprise);
      });
      // Rarer than one in five hundred.
      expect(most, name).toBeGreaterThan(Math.log(500));
    }
  });

  it('says which look is odd and on which side', () => {
    const detector = new SeriesDetector();
    const { times, values } = wave(2000, 3);
    values.forEach((value, at) => detector.push([value], times[at]!));
    const { side, farthest, expected, lower, upper } = detector.push([-40], 2000 * STEP).columns[0]!;
    expect(side).toBe('low');
    expect(farthest).toBeCloseTo(Math.log(2001), 6);
    expect(expected).toBeGreaterThan(5);
    // 99 of 100 residuals of noise of 0.3, and of a median that has its own.
    expect(upper - lower).toBeGreaterThan(1.2);
    expect(upper - lower).toBeLessThan(3);
  });

  it('calls what follows an odd value a repeat, until some time has passed', () => {
    const detector = new SeriesDetector({ quiet: 20 });
    const prng = createPrng(4);
    for (let at = 0; at < 500; at++) detector.push([prng.nextGaussian()]);
    expect(detector.push([30]).isRepeat).toBe(false);
    expect(detector.push([0]).isRepeat).toBe(true);
    for (let at = 0; at < 19; at++) expect(detector.push([prng.nextGaussian()]).isRepeat).toBe(true);
    expect(detector.push([-30]).isRepeat).toBe(false);
  });

  it('lets the oddest of several columns speak, where a missing value counts as an ordinary one', () => {
    const prng = createPrng(6);
    const detector = new SeriesDetector({ columns: 3 });
    for (let at = 0; at < 1000; at++) detector.push([prng.nextGaussian(), prng.nextGaussian(), at % 7]);
    expect(detector.push([0, NaN, 1000 % 7]).pValue).toBeGreaterThan(0.05);
    const { pValue, columns } = detector.push([0, 9, 1001 % 7]);
    expect(pValue).toBeLessThan(0.01);
    expect(columns.map(({ surprise }) => surprise).indexOf(Math.max(...columns.map((one) => one.surprise)))).toBe(1);
    expect(detector.push([NaN, NaN, NaN]).pValue).toBe(1);
    expect(() => detector.push([1, 2])).toThrow(/3 columns/);
  });

  it('compares nothing with measurements that are known to be odd', () => {
    const prng = createPrng(7);
    const values = Array.from({ length: 400 }, (_, at) => prng.nextGaussian() + (at % 20 === 0 ? 9 : 0));
    const pOfNext = (isLearned: boolean) => {
      const detector = new SeriesDetector();
      values.forEach((value, at) => detector.push([value], NaN, { isLearned: isLearned || at % 20 !== 0 }));
      return detector.push([9]).pValue;
    };
    expect(pOfNext(true)).toBeGreaterThan(0.005);
    expect(pOfNext(false)).toBeLessThan(0.003);
  });

  it('knows nothing of what comes later, and gives the same again for the same series', () => {
    const { times, values } = wave(800, 5);
    const run = (count: number) => {
      const detector = new SeriesDetector();
      return values.slice(0, count).map((value, at) => detector.push([value], times[at]!));
    };
    expect(run(800).slice(0, 500)).toEqual(run(500));
  });

  it('takes gaps, repeated times, steps back, missing and constant values as they come', () => {
    const value = fc.oneof(fc.constant(NaN), fc.constant(1), fc.double({ min: -1e6, max: 1e6, noNaN: true }));
    const time = fc.oneof(
      fc.constant(NaN),
      fc.integer({ min: 0, max: 100 }).map((steps) => steps * STEP),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(value, time), { maxLength: 60 }), (points) => {
        const detector = new SeriesDetector({ window: 3, memory: 10, quiet: 5 });
        for (const [one, at] of points) {
          const { pValue, surprise, columns } = detector.push([one], at);
          expect(pValue).toBeGreaterThan(0);
          expect(pValue).toBeLessThanOrEqual(1);
          expect(surprise).toBe(0 - Math.log(pValue));
          expect(columns[0]!.surprise).toBeGreaterThanOrEqual(0);
        }
      }),
    );
    const constant = new SeriesDetector();
    for (let at = 0; at < 100; at++) expect(constant.push([0.1], at * STEP).pValue).toBe(1);
    expect(constant.push([0.2], 100 * STEP).pValue).toBeLessThan(0.02);
    expect(() => new SeriesDetector({ window: 0 })).toThrow(RangeError);
  });
});

describe('a sorted window', () => {
  it('counts as a plain list of the latest values does', () => {
    const values = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 12 }), (list, capacity) => {
        const window = new SortedWindow(capacity);
        for (const value of list) window.add(value);
        const kept = list.slice(-capacity).sort((a, b) => a - b);
        for (let value = -6; value <= 6; value++) {
          expect(window.countBelow(value)).toBe(kept.filter((one) => one < value).length);
          expect(window.countAtMost(value)).toBe(kept.filter((one) => one <= value).length);
        }
        expect([window.size, window.greatest()]).toEqual([kept.length, kept.at(-1)]);
        expect(window.median()).toBe((kept[(kept.length - 1) >> 1]! + kept[kept.length >> 1]!) / 2);
      }),
    );
  });
});

describe('what is usual', () => {
  const HOUR = DAY / 24;
  const valueAt = (hour: number, weekend: number, noise: () => number): number =>
    10 + 4 * Math.sin((2 * Math.PI * hour) / 24) + (Math.floor(hour / 24) % 7 >= 5 ? weekend : 0) + noise();
  const expectedAfter = (weeks: number, weekend: number) => {
    const prng = createPrng(5, weeks);
    const profile = new UsualProfile();
    for (let hour = 0; hour < weeks * 168; hour++)
      profile.add(
        hour * HOUR,
        valueAt(hour, weekend, () => 0.2 * prng.nextGaussian()),
      );
    const saturday = weeks * 168 + 5 * 24 + 12;
    return {
      isWeekly: profile.isWeekly,
      gap: profile.expect(saturday * HOUR) - valueAt(saturday, weekend, () => 0),
    };
  };

  it('goes by the time of the week where weekends differ, from three weeks on', () => {
    expect(expectedAfter(2, -5).isWeekly).toBe(false);
    // Most of the last seven days are no Saturdays.
    expect(expectedAfter(2, -5).gap).toBeGreaterThan(4);
    for (const weeks of [4, 8]) {
      const { isWeekly, gap } = expectedAfter(weeks, -5);
      expect(isWeekly).toBe(true);
      expect(Math.abs(gap)).toBeLessThan(0.5);
    }
  });

  it('stays with the time of day where all days are alike', () => {
    for (const weeks of [4, 8, 20]) expect(expectedAfter(weeks, 0).isWeekly).toBe(false);
  });
});

describe('a day profile', () => {
  it('is the median of the last seven days at the same time, and leaves today out', () => {
    const profile = new SeasonProfile(1, 7);
    expect(profile.expect(0)).toBeNaN();
    [1, 2, 3, 4, 5, 100, 7, 8, 9].forEach((value, day) => {
      profile.add(day * DAY, value);
      profile.add(day * DAY + STEP, value);
    });
    // Days 1 to 7 for day 8, days 2 to 8 for day 9.
    expect(profile.expect(8 * DAY)).toBe(5);
    expect(profile.expect(9 * DAY)).toBe(7);
    expect(profile.expect(9 * DAY + DAY / 2)).toBeNaN();
  });
});
