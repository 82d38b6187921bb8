/**
 * Trains the service's own recipes on real data sets, with the splits that the peers' figures were made with, and prints ours
 * beside the best peer's, the difference and its standard error.
 *
 * The part `simulator` needs no data: it learns the simulated platform and stands beside the best that anything could reach there.
 *
 * Run: node dist/bench/accuracy.js [--part tables] [--only telco] [--algorithm auto] [--hyperparameters '{"max_depth": 8}']
 * DATA_DIR has the data sets and `baselines.json` (default ../shared/data). Ends with 1 where a figure is not reached.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { advantage, isReached, type AccuracyRow } from './accuracy/accuracy-row.js';
import { measureAnomalies } from './accuracy/anomaly.js';
import { measureForecasts } from './accuracy/forecast.js';
import { measureForecastPromises } from './accuracy/forecast-simulations.js';
import { measureNextActivity } from './accuracy/next-activity.js';
import { measureRecommendations } from './accuracy/recommend.js';
import { measureSimulator } from './accuracy/simulator.js';
import { measureTables } from './accuracy/tables.js';

const dataDir = resolve(process.env['DATA_DIR'] ?? '../shared/data');
const { values: flags } = parseArgs({
  options: {
    part: { type: 'string' },
    only: { type: 'string' },
    algorithm: { type: 'string' },
    hyperparameters: { type: 'string' },
  },
});

/** A part that is measured as a whole is printed when it is done. */
const printed = async (measuring: Promise<AccuracyRow[]>): Promise<AccuracyRow[]> => {
  const rows = await measuring;
  rows.forEach(printRow);
  return rows;
};

const PARTS: Record<string, () => Promise<AccuracyRow[]>> = {
  tables: () =>
    measureTables(dataDir, {
      only: flags.only,
      algorithm: flags.algorithm,
      hyperparameters: flags.hyperparameters ? (JSON.parse(flags.hyperparameters) as Record<string, unknown>) : {},
      onRows: (rows) => rows.forEach(printRow),
    }),
  forecast: async () => [
    ...(await printed(measureForecasts(dataDir))),
    ...(await printed(Promise.resolve().then(measureForecastPromises))),
  ],
  anomaly: () => printed(measureAnomalies(dataDir, { algorithm: flags.algorithm })),
  recommend: () => printed(measureRecommendations(dataDir)),
  next: () => printed(measureNextActivity(dataDir)),
  simulator: () => printed(measureSimulator()),
};

function printRow(row: AccuracyRow): void {
  const digits = Math.abs(row.peerValue) >= 10 ? 2 : 4;
  const cells = [
    isReached(row) ? 'ok   ' : 'WORSE',
    row.set.padEnd(36),
    row.metric.padEnd(10),
    row.ours.toFixed(digits).padStart(9),
    row.peerValue.toFixed(digits).padStart(9),
    `${advantage(row) >= 0 ? '+' : ''}${advantage(row).toFixed(digits)}`.padStart(9),
    row.standardError.toFixed(digits).padStart(8),
    row.peer,
    row.note ? `(${row.note})` : '',
  ];
  process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
}

if (flags.part !== 'simulator' && !existsSync(join(dataDir, 'baselines.json'))) {
  process.stdout.write(`There are no data sets in ${dataDir}; set DATA_DIR to the folder that has baselines.json.\n`);
  process.exit(0);
}
process.stdout.write(
  `${['', 'set'.padEnd(37), 'metric'.padEnd(10), 'ours'.padStart(9), 'peer'.padStart(9), 'better by'.padStart(9), 'std.err.'.padStart(8), 'best peer'].join('  ')}\n`,
);
const all: AccuracyRow[] = [];
for (const [name, measure] of Object.entries(PARTS)) {
  if (flags.part && flags.part !== name) continue;
  all.push(...(await measure()));
}
const missed = all.filter((row) => !isReached(row));
process.stdout.write(`${all.length - missed.length} of ${all.length} figures reached\n`);
process.exitCode = missed.length > 0 ? 1 : 0;
