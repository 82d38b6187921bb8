/**
 * How often the drift monitor is wrong: seeded simulations of the very code that decides, each promise with its limit.
 *
 * Run: node dist/bench/monitors.js [--years 100] [--only clean] [--peer-days 60]. PEERS_PYTHON is a Python with evidently (default
 * ~/.cache/peers-venv/bin/python), which is asked about the same streams. DATA_DIR has the real sets (default ../shared/data); without them those
 * parts are skipped aloud. Ends with 1 where a promise is broken.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { judgeDrift, type WindowSignals } from '../core/decisions/judge-drift.js';
import { askEvidently, type DriftStream } from './monitors/evidently-drift.js';
import { replaySeries, type SeriesTable } from './monitors/replay-series.js';
import { compareSamples, drawColumn, prngOf, THIRTY_COLUMNS, type Sample } from './monitors/simulated-columns.js';

const { values: flags } = parseArgs({
  options: { years: { type: 'string' }, only: { type: 'string' }, 'peer-days': { type: 'string', default: '60' } },
});
const years = Number(flags.years ?? 100);
const DAYS = 365;
/** Where three columns of the set, constant until then, begin to move. */
const ELECTRICITY_CHANGE = 17_424;
const REFERENCE_ROWS = 5000;

const knowledge = {
  importance: new Map(THIRTY_COLUMNS.map((_, at) => [`c${at}`, 1 / THIRTY_COLUMNS.length])),
  usual: new Map<string, number>(),
};

const drawTable = (
  rows: number,
  seeds: [number, ...number[]],
  shifts: Readonly<Record<number, number>> = {},
): Sample[] => {
  const prng = prngOf(...seeds);
  return THIRTY_COLUMNS.map((law, at) => drawColumn(law, rows, prng, shifts[at] ?? 0));
};

const compareTables = (reference: Sample[], current: Sample[]) =>
  reference.map((sample, at) => compareSamples(`c${at}`, sample, current[at]!));

/** Alarms that begin on clean days: a reference of 5,000 rows a model-year, 500 rows a day. */
function cleanAlarms(rows: number): { alarms: number; worst: number } {
  let alarms = 0;
  let worst = 0;
  for (let year = 0; year < years; year++) {
    const reference = drawTable(REFERENCE_ROWS, [1, year]);
    const earlier: WindowSignals[] = [];
    let isAlarmed = false;
    let own = 0;
    for (let day = 0; day < DAYS; day++) {
      const columns = compareTables(reference, drawTable(rows, [2, year, day]));
      const verdict = judgeDrift(columns, earlier, knowledge);
      earlier.push(verdict.signals);
      if (verdict.alarm && !isAlarmed) own++;
      isAlarmed = verdict.alarm;
    }
    alarms += own;
    worst = Math.max(worst, own);
  }
  return { alarms, worst };
}

/** How often a shift of 0.2 deviations in one bell-shaped column of 30 is an alarm within three windows of 1,000 rows. */
function power(runs: number, shift: number): number {
  let found = 0;
  for (let run = 0; run < runs; run++) {
    const reference = drawTable(REFERENCE_ROWS, [3, run]);
    const earlier: WindowSignals[] = [];
    for (let window = 0; window < 3; window++) {
      const columns = compareTables(reference, drawTable(1000, [4, run, window], { 0: shift }));
      const verdict = judgeDrift(columns, earlier, knowledge);
      earlier.push(verdict.signals);
      if (!verdict.columns.some(({ column, state }) => column === 'c0' && state === 'alarm')) continue;
      found++;
      break;
    }
  }
  return found / runs;
}

let broken = 0;
function report(promise: string, isKept: boolean, detail: string): void {
  if (!isKept) broken++;
  process.stdout.write(`${isKept ? 'ok    ' : 'BROKEN'}  ${promise}: ${detail}\n`);
}

if (!flags.only || flags.only === 'clean') {
  const { alarms, worst } = cleanAlarms(500);
  const a180 = (alarms / years / DAYS) * 180;
  report(
    'clean data, 30 columns, at most one false alarm in 180 days',
    a180 <= 1,
    `${alarms} in ${years} model-years (${a180.toFixed(3)} in 180 days; at most ${worst} in a year)`,
  );
}
if (!flags.only || flags.only === 'power') {
  const share = power(400, 0.2);
  report(
    '0.2 deviations in one of 30 columns found within three windows of 1,000 rows',
    share >= 0.9,
    `${(share * 100).toFixed(1)} %`,
  );
}
/** Ten weeks, then a year, of rows every quarter of an hour with a day's and a week's season and noise that follows itself. */
function seasonalTable(run: number, days: number): SeriesTable {
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

if (!flags.only || flags.only === 'seasons') {
  const runs = Math.max(1, Math.round(years / 5));
  const count = (windowRows: number, referenceWindows: number) =>
    Array.from({ length: runs }, (_, run) =>
      replaySeries(seasonalTable(run, 70 + DAYS), windowRows, referenceWindows),
    ).flat().length;
  const daily = count(96, 70);
  const weekly = count(96 * 7, 10);
  report(
    'seasons of a day and a week raise nothing',
    daily === 0 && weekly === 0,
    `${daily} alarms by the day, ${weekly} by the week, in ${runs} years of three columns`,
  );
}

if (!flags.only || flags.only === 'electricity') {
  const path = join(resolve(process.env['DATA_DIR'] ?? '../shared/data'), 'electricity.csv.gz');
  if (!existsSync(path)) process.stdout.write(`skipped electricity: ${path} is not there\n`);
  else {
    const [header, ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
    const names = header!.split(',');
    const cells = lines.map((line) => line.split(','));
    const columns = ['nswprice', 'nswdemand', 'vicprice', 'vicdemand', 'transfer'];
    const table = Object.fromEntries(
      columns.map((name) => [name, Float64Array.from(cells, (row) => Number(row[names.indexOf(name)]))]),
    );
    // A day of half hours a window, eight weeks of reference.
    const alarms = replaySeries(table, 48, 56);
    const first = alarms.find(({ row }) => row > ELECTRICITY_CHANGE);
    const before = alarms.filter(({ row }) => row <= ELECTRICITY_CHANGE).length;
    report(
      `electricity: the change at row ${ELECTRICITY_CHANGE} is reported within 336 rows, nothing before it`,
      before === 0 && first !== undefined && first.row - ELECTRICITY_CHANGE <= 336,
      first
        ? `${first.row - ELECTRICITY_CHANGE} rows after it (${first.columns.join(', ')}); ${before} before, ${alarms.length - before} in all after`
        : `not reported; ${before} before`,
    );
  }
}
/** Numbers of a series as windows of so many rows. */
const windowsOf = (table: SeriesTable, rows: number, from: number, count: number): Sample[][] =>
  Array.from({ length: count }, (_, at) =>
    Object.values(table).map((values) => {
      const start = from + at * rows;
      return { number: { values: values.slice(start, start + rows).sort(), missing: 0 } };
    }),
  );

/** The streams of the promises above, fewer of them, as Evidently judges them by itself: told, not promised. */
function tellEvidently(days: number): void {
  const runs = Math.max(3, Math.round(days / 5));
  const season = seasonalTable(0, 70 + days);
  const streams: DriftStream[] = [
    {
      name: 'clean',
      reference: drawTable(REFERENCE_ROWS, [1, 0]),
      windows: Array.from({ length: days }, (_, day) => drawTable(500, [2, 0, day])),
    },
    {
      name: 'seasons',
      reference: windowsOf(season, 70 * 96, 0, 1)[0]!,
      windows: windowsOf(season, 96 * 7, 70 * 96, Math.floor(days / 7)),
    },
    ...Array.from({ length: runs }, (_, run) => ({
      name: `shift ${run}`,
      reference: drawTable(REFERENCE_ROWS, [3, run]).slice(0, 1),
      windows: Array.from({ length: 3 }, (__, window) => drawTable(1000, [4, run, window], { 0: 0.2 }).slice(0, 1)),
    })),
  ];
  const told = askEvidently(streams);
  if (typeof told === 'string') {
    process.stdout.write(`skipped Evidently: ${told}\n`);
    return;
  }
  const named = (name: string, least: number) => told.get(name)!.filter(({ share }) => share > least).length;
  const found = Array.from({ length: runs }, (_, run) => named(`shift ${run}`, 0)).filter((windows) => windows > 0);
  const lines = [
    `of ${days} clean days of 30 columns ${named('clean', 0)} have a column that it names, ${named('clean', 0.4999)} are drift of the data set`,
    `a shift of 0.2 deviations is named within three windows of 1,000 rows in ${found.length} of ${runs} runs`,
    `of ${Math.floor(days / 7)} weeks with seasons ${named('seasons', 0)} have a column that it names`,
  ];
  for (const line of lines) process.stdout.write(`Evidently by itself: ${line}\n`);
}

if (!flags.only || flags.only === 'peers') tellEvidently(Number(flags['peer-days']));
process.exitCode = broken > 0 ? 1 : 0;
