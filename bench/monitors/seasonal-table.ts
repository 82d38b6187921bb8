import type { SeriesTable } from './replay-series.js';
import { prngOf } from './simulated-columns.js';

/** Days of rows every quarter of an hour with a day's and a week's season and noise that follows itself. */
export function seasonalTable(run: number, days: number): SeriesTable {
  const prng = prngOf(5, run);
  const table: Record<string, Float64Array> = {};
  for (const [name, weekly] of [
    ['requests', 0.5],
    ['sessions', 1],
    ['orders', 2],
  ] as const) {
    const values = new Float64Array(days * 96);
    let noise = 0;
    for (let at = 0; at < values.length; at++) {
      noise = 0.9 * noise + prng.nextGaussian() * 0.3;
      const isWeekend = Math.floor(at / 96) % 7 >= 5;
      values[at] = 2 * Math.sin((2 * Math.PI * at) / 96) - (isWeekend ? weekly : 0) + noise;
    }
    table[name] = values;
  }
  return table;
}
