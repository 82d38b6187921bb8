import { judgeDrift, type WindowSignals } from '../../core/decisions/judge-drift.js';
import { writeFigures } from '../write-figures.js';
import { ELECTRICITY_CHANGE, readElectricity } from './electricity.js';
import { askPeer, DRIFT_PEERS, type DriftStream } from './peer-drift.js';
import { replaySeries, type SeriesTable } from './replay-series.js';
import { seasonalTable } from './seasonal-table.js';
import { compareSamples, drawTable, type Sample } from './simulated-columns.js';

const REFERENCE_ROWS = 5000;
/** A day of half hours a window, eight weeks of reference, and so many days after the change. */
const DAY_ROWS = 48;
const REFERENCE_DAYS = 56;
const DAYS_AFTER = 42;
const WEEK_ROWS = 96 * 7;

/** Columns that a tool names, by window of each stream. */
type Named = ReadonlyMap<string, readonly (readonly string[])[]>;

const seriesWindows = (table: SeriesTable, rows: number, from: number, count: number): Sample[][] =>
  Array.from({ length: count }, (_, at) =>
    Object.values(table).map((values) => {
      const start = from + at * rows;
      return { number: { values: values.slice(start, start + rows).sort(), missing: 0 } };
    }),
  );

/** The first windows of a series as its reference, the others to be judged. */
const seriesStream = (name: string, table: SeriesTable, rows: number, referenceWindows: number, count: number) => ({
  name,
  reference: seriesWindows(table, rows * referenceWindows, 0, 1)[0]!,
  windows: seriesWindows(table, rows, rows * referenceWindows, count),
});

function simulatedStreams(days: number, runs: number): DriftStream[] {
  return [
    {
      name: 'clean',
      reference: drawTable(REFERENCE_ROWS, [1, 0]),
      windows: Array.from({ length: days }, (_, day) => drawTable(500, [2, 0, day])),
    },
    ...Array.from({ length: runs }, (_, run) => ({
      name: `shift ${run}`,
      reference: drawTable(REFERENCE_ROWS, [3, run]),
      windows: Array.from({ length: 3 }, (__, window) => drawTable(1000, [4, run, window], { 0: 0.2 })),
    })),
  ];
}

/** Columns with an alarm by the service's own rule. */
function judgeStream({ reference, windows }: DriftStream): string[][] {
  const earlier: WindowSignals[] = [];
  const importance = new Map(reference.map((_, at) => [`c${at}`, 1 / reference.length]));
  return windows.map((window) => {
    const columns = reference.map((sample, at) => compareSamples(`c${at}`, sample, window[at]!));
    const verdict = judgeDrift(columns, earlier, { importance, usual: new Map() });
    earlier.push(verdict.signals);
    return verdict.columns.filter(({ state }) => state === 'alarm').map(({ column }) => column);
  });
}

/** An alarm of the service begins once; the libraries know none that lasts, so that each window in which one names a column is one. */
function judgeSeries(table: SeriesTable, rows: number, referenceWindows: number, windows: number): string[][] {
  const until = rows * (referenceWindows + windows);
  const part = Object.fromEntries(Object.entries(table).map(([name, values]) => [name, values.slice(0, until)]));
  const begun = new Map(
    replaySeries(part, rows, referenceWindows).map(({ row, columns }) => [row / rows - 1 - referenceWindows, columns]),
  );
  return Array.from({ length: windows }, (_, at) => begun.get(at) ?? []);
}

const count = (windows: readonly (readonly string[])[]) => windows.filter((named) => named.length > 0).length;

function rowOf(tool: string, named: Named, runs: number): string[] {
  const hasShift = (run: number) => named.get(`shift ${run}`)!.some((columns) => columns.includes('c0'));
  const found = Array.from({ length: runs }, (_, run) => run).filter(hasShift);
  const [clean, weeks] = [named.get('clean')!, named.get('seasons')!];
  const cells = [
    tool,
    `${count(clean)} of ${clean.length}`,
    `${found.length} of ${runs}`,
    `${count(weeks)} of ${weeks.length}`,
  ];
  const electricity = named.get('electricity');
  if (!electricity) return [...cells, 'not asked', 'not asked', 'not asked'];
  const change = Math.floor(ELECTRICITY_CHANGE / DAY_ROWS) - REFERENCE_DAYS;
  const [before, after] = [electricity.slice(0, change), electricity.slice(change)];
  const first = after.findIndex((columns) => columns.length > 0);
  const delay = (REFERENCE_DAYS + change + first + 1) * DAY_ROWS - ELECTRICITY_CHANGE;
  return [
    ...cells,
    `${count(before)} of ${before.length}`,
    first < 0 ? 'not found' : `${delay} rows`,
    `${count(after)} of ${after.length}`,
  ];
}

/**
 * The streams of the promises, fewer of them, judged by the service and by each library with its defaults: told, not promised.
 * @param days of clean data, and of seasons
 */
export function tellPeers(days: number, isWritten: boolean): void {
  const runs = Math.max(3, Math.round(days / 5));
  const season = seasonalTable(0, 70 + days);
  const electricity = readElectricity();
  const daysOf = Math.floor(ELECTRICITY_CHANGE / DAY_ROWS) - REFERENCE_DAYS + DAYS_AFTER;
  const simulated = simulatedStreams(days, runs);
  const weeks = Math.floor(days / 7);
  const streams: DriftStream[] = [...simulated, seriesStream('seasons', season, WEEK_ROWS, 10, weeks)];
  const ours = new Map(simulated.map((stream) => [stream.name, judgeStream(stream)]));
  ours.set('seasons', judgeSeries(season, WEEK_ROWS, 10, weeks));
  if (typeof electricity === 'string') process.stdout.write(`skipped electricity: ${electricity}\n`);
  else {
    streams.push(seriesStream('electricity', electricity, DAY_ROWS, REFERENCE_DAYS, daysOf));
    ours.set('electricity', judgeSeries(electricity, DAY_ROWS, REFERENCE_DAYS, daysOf));
  }
  const table = [rowOf('this service', ours, runs)];
  for (const peer of DRIFT_PEERS) {
    const told = askPeer(peer, streams);
    if (typeof told === 'string') process.stdout.write(`skipped ${peer.name}: ${told}\n`);
    else table.push(rowOf(`${peer.name}, its defaults`, told, runs));
  }
  const head = [
    'tool',
    'clean days with an alarm',
    '0.2 deviations in one of 30 columns found within three windows',
    'weeks with seasons and an alarm',
    'electricity: days with an alarm before the change',
    'the change is found after',
    'days with an alarm from the change on',
  ];
  for (const row of table)
    process.stdout.write(`${row.map((cell, at) => (at ? `${head[at]}: ${cell}` : cell)).join('; ')}\n`);
  if (isWritten) writeFigures('docs/reference/benchmarks.md', 'bench:monitors peers', [head, ...table]);
}
