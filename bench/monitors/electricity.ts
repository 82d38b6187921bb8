import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { SeriesTable } from './replay-series.js';

/** Where three columns of the set, constant until then, begin to move. */
export const ELECTRICITY_CHANGE = 17_424;

/** Numbers of each half hour, from DATA_DIR (default ../shared/data). @returns a text where the set is not there */
export function readElectricity(): SeriesTable | string {
  const path = join(resolve(process.env['DATA_DIR'] ?? '../shared/data'), 'electricity.csv.gz');
  if (!existsSync(path)) return `${path} is not there`;
  const [header, ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
  const names = header!.split(',');
  const cells = lines.map((line) => line.split(','));
  const columns = ['nswprice', 'nswdemand', 'vicprice', 'vicdemand', 'transfer'];
  return Object.fromEntries(
    columns.map((name) => [name, Float64Array.from(cells, (row) => Number(row[names.indexOf(name)]))]),
  );
}
