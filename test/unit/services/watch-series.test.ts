import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../ml/random/prng.js';
import type { MeasuredSeries } from '../../../services/kinds/anomaly-detection/anomaly-table.js';
import { watchSeries } from '../../../services/kinds/anomaly-detection/watch-series.js';

const HOUR = 3_600_000;
const RATE = 0.01;

/** Two features by the hour; `incident` tells where the first is far out. */
function series(name: string, hours: number, incident: (hour: number) => boolean): MeasuredSeries {
  const prng = createPrng(hours, name.length);
  const values = [0, 1].map((column) =>
    Float64Array.from(
      { length: hours },
      (_, hour) => prng.nextGaussian() + 3 * Math.sin(hour / 4) + (column === 0 && incident(hour) ? 15 : 0),
    ),
  );
  const labels = Array.from({ length: hours }, (_, hour) => (incident(hour) ? 'burst' : null));
  return { name, times: Float64Array.from({ length: hours }, (_, hour) => hour * HOUR), values, labels };
}
const watch = (list: MeasuredSeries[]) => watchSeries(list, ['load', 'noise'], RATE, () => {});

describe('watching measured series', () => {
  it('finds incidents without raising more alarms than stated, and shows the feature they are in', () => {
    const found = watch([series('quiet', 1000, () => false), series('busy', 1500, (hour) => hour % 300 >= 296)])!;
    expect(found.found).toEqual({
      series: 2,
      rows: 2500,
      left_out: 0,
      by_label: { burst: { incidents: 5, found: 5 } },
    });
    expect(found.metrics['series_incidents_found']).toMatchObject({ value: 1, rows: 5 });
    // One in a hundred stated; five standard errors of some 2,000 measurements, doubled as neighbours share windows.
    expect(found.metrics['series_false_alarm_rate']!.value).toBeLessThan(0.03);
    const [plot] = found.plots;
    expect(plot!.series).toBe('busy: load');
    expect(plot!.incidents).toHaveLength(5);
    expect(plot!.incidents[0]).toEqual({
      from: new Date(296 * HOUR).toISOString(),
      to: new Date(299 * HOUR).toISOString(),
      name: 'burst',
    });
    expect(plot!.anomalies.every(({ score }) => score < 0)).toBe(true);
  });

  it('leaves out series too short for an alarm, and says nothing where all are', () => {
    expect(watch([series('short', 300, () => false)])).toBeUndefined();
    expect(watch([])).toBeUndefined();
    const some = watch([series('short', 300, () => false), series('long', 900, () => false)])!;
    expect(some.found).toMatchObject({ series: 1, left_out: 1, by_label: {} });
    expect(some.metrics['series_incidents_found']).toBeUndefined();
  });
});
