/**
 * How often the drift monitor is wrong: seeded simulations of the very code that decides, each promise with its limit.
 *
 * Run: npm run bench:monitors -- [--years 100] [--only clean|power|seasons|electricity|peers] [--peer-days 60] [--write]. The part `peers` asks Evidently and
 * NannyML about the same streams; PEERS_PYTHON is a Python with evidently (default ~/.cache/peers-venv/bin/python), NANNYML_PYTHON one with nannyml
 * (default ~/.cache/nannyml-venv/bin/python), and `--write` puts what all say into the benchmarks. DATA_DIR has the real sets (default
 * ../shared/data). What is not there is skipped aloud. Ends with 1 where a promise is broken.
 */
import { parseArgs } from 'node:util';
import { judgeDrift, type WindowSignals } from '../core/decisions/judge-drift.js';
import { tellPeers } from './monitors/beside-peers.js';
import { ELECTRICITY_CHANGE, readElectricity } from './monitors/electricity.js';
import { replaySeries } from './monitors/replay-series.js';
import { compareSamples, drawTable, THIRTY_COLUMNS, type Sample } from './monitors/simulated-columns.js';
import { seasonalTable } from './monitors/seasonal-table.js';

const { values: flags } = parseArgs({
  options: {
    years: { type: 'string' },
    only: { type: 'string' },
    'peer-days': { type: 'string', default: '60' },
    write: { type: 'boolean', default: false },
  },
});
const years = Number(flags.years ?? 100);
const DAYS = 365;
const REFERENCE_ROWS = 5000;

const knowledge = {
  importance: new Map(THIRTY_COLUMNS.map((_, at) => [`c${at}`, 1 / THIRTY_COLUMNS.length])),
  usual: new Map<string, number>(),
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
  const table = readElectricity();
  if (typeof table === 'string') process.stdout.write(`skipped electricity: ${table}\n`);
  else {
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
if (!flags.only || flags.only === 'peers') tellPeers(Number(flags['peer-days']), flags.write);
process.exitCode = broken > 0 ? 1 : 0;
