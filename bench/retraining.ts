/**
 * What retraining is worth: real streams are answered row by row by a version that is never trained anew, by versions of a fixed schedule,
 * and by those that a rise of the loss has begun and fresh rows have judged, as repairs of the service do. Seeded; needs no servers.
 *
 * Run: npm run bench:retraining -- [--data ../shared/data] [--only bank]. Streams whose file is missing are skipped aloud. Ends with 1 where the loop is
 * not ahead of both others per training run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import {
  bySchedule,
  neverRetrain,
  onDrift,
  runPolicy,
  type LabelledStream,
  type PolicyResult,
} from './retraining/retraining-policies.js';

const { values: flags } = parseArgs({
  options: { data: { type: 'string', default: '../shared/data' }, only: { type: 'string' } },
});
const folder = resolve(flags.data);

interface StreamFile {
  file: string;
  label: string;
  positive: string;
  /** Columns that would tell the row's place in time. */
  without: string[];
  firstRows: number;
  stepRows: number;
  leastRows: number;
}

const STREAMS: StreamFile[] = [
  {
    file: 'electricity.csv.gz',
    label: 'class',
    positive: 'UP',
    without: ['date'],
    firstRows: 4000,
    stepRows: 48,
    leastRows: 1000,
  },
  {
    file: 'weather_bellevue.csv.gz',
    label: 'rain',
    positive: '1',
    without: [],
    firstRows: 1500,
    stepRows: 30,
    leastRows: 730,
  },
  // The calls of a bank in the order of their days; how long a call lasted is known too late.
  {
    file: 'bank_marketing.csv.gz',
    label: 'Class',
    positive: '2',
    without: ['V12'],
    firstRows: 4000,
    stepRows: 200,
    leastRows: 1000,
  },
];

/** Reads a stream; texts become numbers in the order in which they first appear. */
function readStream({ file, label, positive, without }: StreamFile): LabelledStream {
  const [header, ...lines] = gunzipSync(readFileSync(join(folder, file)))
    .toString('utf8')
    .trim()
    .split('\n');
  const names = header!.trim().split(',');
  const rows = lines.map((line) => line.trim().split(','));
  const used = names.flatMap((name, at) => (name === label || without.includes(name) ? [] : [at]));
  const values = new Float64Array(used.length * rows.length);
  used.forEach((at, column) => {
    const codes = new Map<string, number>();
    rows.forEach((cells, row) => {
      const text = cells[at]!;
      const number = text === '' ? NaN : Number(text);
      if (text !== '' && Number.isNaN(number) && !codes.has(text)) codes.set(text, codes.size);
      values[column * rows.length + row] = codes.get(text) ?? number;
    });
  });
  const y = Float64Array.from(rows, (cells) => Number(cells[names.indexOf(label)] === positive));
  return { x: { rows: rows.length, columns: used.length, values }, y };
}

/** When a schedule begins is chance, and one lucky day tells nothing: it is told as the mean of several. */
const PHASES = [0.2, 0.4, 0.6, 0.8, 1];

function meanOf(results: readonly PolicyResult[]): PolicyResult {
  const mean = (of: (result: PolicyResult) => number) =>
    results.reduce((sum, one) => sum + of(one), 0) / results.length;
  return {
    trainings: mean(({ trainings }) => trainings),
    deployed: mean(({ deployed }) => deployed),
    error: mean(({ error }) => error),
    logLoss: mean(({ logLoss }) => logLoss),
  };
}

let isAhead = true;
for (const stream of STREAMS) {
  if (flags.only && !stream.file.includes(flags.only)) continue;
  if (!existsSync(join(folder, stream.file))) {
    console.log(`SKIPPED ${stream.file}: it is not in ${folder}.`);
    continue;
  }
  const data = readStream(stream);
  const settings = { firstRows: stream.firstRows, stepRows: stream.stepRows, seed: 1 };
  const rows = data.y.length - stream.firstRows;
  const never = runPolicy(data, neverRetrain, settings);
  const loop = runPolicy(data, onDrift(stream.leastRows, stream.firstRows), settings);
  const runs = Math.max(1, loop.trainings - 1);
  const everyRows = (count: number) => Math.floor(rows / (count + 0.5));
  const schedule = (count: number) =>
    meanOf(PHASES.map((phase) => runPolicy(data, bySchedule(everyRows(count), stream.firstRows, phase), settings)));
  const results: [string, PolicyResult][] = [
    ['never', never],
    [`schedule, as many`, schedule(runs)],
    [`schedule, four times as many`, schedule(4 * runs)],
    ['on drift, judged', loop],
  ];
  console.log(`\n${stream.file}: ${rows} rows answered`);
  console.log('| retrained | trainings | deployed | wrong | log loss | less loss per training |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  const gainOf = ({ logLoss, trainings }: PolicyResult) => (never.logLoss - logLoss) / Math.max(1, trainings - 1);
  for (const [name, result] of results) {
    const { trainings, deployed, error, logLoss } = result;
    const gain = result === never ? '' : gainOf(result).toFixed(5);
    console.log(
      `| ${name} | ${(trainings - 1).toFixed(0)} | ${deployed.toFixed(0)} | ${(100 * error).toFixed(2)} % | ${logLoss.toFixed(4)} | ${gain} |`,
    );
  }
  const isBest = loop.logLoss < never.logLoss && results.slice(1, 3).every(([, other]) => gainOf(loop) > gainOf(other));
  console.log(isBest ? 'ahead of both' : 'NOT ahead of both');
  isAhead &&= isBest;
}
process.exitCode = isAhead ? 0 : 1;
