/**
 * Measures what one core, one GiB and one GB carry: answers a core by kind of model, memory a version, rows ingested a worker, cost of trainings by rows and
 * columns, rows of log a GB; and from that and the prices that are given, what a load costs and how many machines it needs. It counts the CPU time of
 * the processes themselves, so that what else the machine does matters little. Linux only.
 *
 * Run: npm run bench:capacity [-- --write] [--seconds 8] [--scale 1] [--vcpu-hour 0.04] [--gib-hour 0.005] [--gb-month 0.12]
 *      [--predictions-per-second 500] [--trainings-per-day 24] [--log-days 30] [--utilisation 0.6] [--machine-cores 4] [--machine-gib 16]
 * --write puts the tables into docs/guide/capacity.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { estimateCost, type Load, type Prices } from './capacity/cost-model.js';
import { measureIngestion, measureLog, measureServing, measureTraining, measureVersions } from './capacity/measure.js';
import { gridTables, writeGridConfig } from './capacity/training-grid.js';
import { startCapacityStack } from './capacity/capacity-stack.js';
import { endOnSignal } from '../infra/local/end-on-signal.js';
import { writeFigures } from './write-figures.js';

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '8' },
    scale: { type: 'string', default: '1' },
    'vcpu-hour': { type: 'string', default: '0.04' },
    'gib-hour': { type: 'string', default: '0.005' },
    'gb-month': { type: 'string', default: '0.12' },
    'predictions-per-second': { type: 'string', default: '500' },
    'trainings-per-day': { type: 'string', default: '24' },
    'log-days': { type: 'string', default: '30' },
    utilisation: { type: 'string', default: '0.6' },
    'machine-cores': { type: 'string', default: '4' },
    'machine-gib': { type: 'string', default: '16' },
  },
});
const numberOf = (name: Exclude<keyof typeof values, 'write'>): number => {
  const number = Number(values[name]);
  if (!(number > 0)) throw new Error(`--${name} must be a number above 0.`);
  return number;
};
const prices: Prices = {
  vcpuHour: numberOf('vcpu-hour'),
  gibHour: numberOf('gib-hour'),
  gbMonth: numberOf('gb-month'),
};
const load: Load = {
  predictionsPerSecond: numberOf('predictions-per-second'),
  trainingsPerDay: numberOf('trainings-per-day'),
  logDays: numberOf('log-days'),
  utilisation: Math.min(1, numberOf('utilisation')),
  machineCores: numberOf('machine-cores'),
  machineGib: numberOf('machine-gib'),
};
const scale = numberOf('scale');

type Table = (string | number)[][];
const whole = (value: number) => Math.round(value).toLocaleString('en');
const money = (value: number) => (value >= 0.1 ? value.toFixed(2) : value.toPrecision(2));

function show(name: string, table: Table): void {
  process.stdout.write(`\n${name}\n${table.map((row) => row.join('  |  ')).join('\n')}\n`);
  if (values.write) writeFigures('docs/guide/capacity.md', `capacity-${name}`, table);
}

const folder = mkdtempSync(join(tmpdir(), 'mlops-capacity-'));
const forget = endOnSignal(() => rmSync(folder, { recursive: true, force: true }));
const tables = gridTables(scale);
const stack = await startCapacityStack({ folder, modelsConfig: writeGridConfig(folder, tables), users: 2000 * scale });
try {
  const serving = await measureServing(stack, numberOf('seconds'));
  show('serving', [
    ['kind', 'answers/s a core', 'answers/s a core, batches of 50'],
    ...serving.map(({ kind, perCore, perCoreInBatches }) => [
      kind,
      whole(perCore),
      perCoreInBatches === undefined ? '' : whole(perCoreInBatches),
    ]),
  ]);
  const log = await measureLog(stack);
  show('log', [
    ['what', 'bytes a row', 'rows a GB'],
    ...log.map(({ what, bytes }) => [what, whole(bytes), whole(1e9 / bytes)]),
  ]);
  const { versions, apiMib, baseMib } = await measureVersions(stack);
  show('versions', [
    ['kind', 'MiB on disk', 'MiB in memory'],
    ...versions.map(({ kind, diskMib, memoryMib }) => [kind, diskMib.toFixed(1), memoryMib.toFixed(1)]),
    ['an API process without models, and with these under load', '', `${whole(baseMib)}, ${whole(apiMib)}`],
  ]);
  const ingestion = await measureIngestion(stack, Math.round(500_000 * scale));
  show('ingestion', [
    ['rows', 'rows/s a worker', 'rows/s a core', 'peak MiB of the worker'],
    [whole(ingestion.rows), whole(ingestion.perSecond), whole(ingestion.perCore), whole(ingestion.peakMib)],
  ]);
  const trainings = await measureTraining(stack, tables);
  show('training', [
    ['model', 'rows', 'columns', 'CPU-seconds', 'seconds', 'peak MiB'],
    ...trainings.map((one) => [
      one.model,
      whole(one.rows),
      one.columns,
      whole(one.cpuSeconds),
      whole(one.wallSeconds),
      whole(one.peakMib),
    ]),
  ]);
  const plain = serving.find(({ kind }) => kind === 'user_behavior')!;
  const largest = trainings.at(-1)!;
  const cost = estimateCost(prices, load, {
    predictionsPerCore: plain.perCore,
    apiGib: apiMib / 1024,
    logBytesPerPrediction: log[0]!.bytes,
    trainingCpuSeconds: largest.cpuSeconds,
    trainingWallSeconds: largest.wallSeconds,
    trainingGib: largest.peakMib / 1024,
  });
  show('cost', [
    [
      'what',
      `at ${values['vcpu-hour']} a vCPU-hour, ${values['gib-hour']} a GiB-hour, ${values['gb-month']} a GB-month`,
    ],
    [`a million predictions of user_behavior, logged for ${load.logDays} days`, money(cost.perMillionPredictions)],
    [`a training on ${whole(largest.rows)} rows and ${largest.columns} columns`, money(cost.perTraining)],
    [
      `API machines of ${load.machineCores} cores for ${whole(load.predictionsPerSecond)} predictions/s at ${load.utilisation * 100} % of their cores`,
      `${cost.apiMachines} (${cost.apiCores.toFixed(1)} cores)`,
    ],
    [
      `training machines for ${load.trainingsPerDay} such trainings a day`,
      `${cost.trainingMachines} (${cost.trainingCores.toFixed(2)} cores)`,
    ],
    [`GB of log at that rate after ${load.logDays} days`, whole(cost.logGb)],
  ]);
} finally {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
  forget();
}
