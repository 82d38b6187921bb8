/**
 * Measures what quantised and pruned variants lose and gain on a real table (data/samples/telco_churn.csv.gz, a fifth of the customers held
 * out): growth of the log loss with its 95 % interval, bytes of the file, and processor time of single rows, beside the same model as it was
 * fitted. JSON lines; with --write also the table of docs/guide/tables.md.
 *
 * Run: node dist/bench/optimize.js [--write]
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { optimizeSchema } from '../core/schemas/optimize.js';
import { encodeTable, fitTableEncoder } from '../ml/preprocess/table-encoder.js';
import { fitHead, type FittedHead } from '../services/kinds/tabular/fit-head.js';
import { headInput, networkInput } from '../services/kinds/tabular/fit-model.js';
import { fitNetworkHeads } from '../services/kinds/tabular/fit-network.js';
import { tryVariants } from '../services/kinds/tabular/try-variant.js';
import { rowsOf, type TrainingTable } from '../services/kinds/tabular/training-table.js';
import { projectRoot } from '../services/project-root.js';
import type { TrainingPlan } from '../services/training/training-plan.js';
import { writeFigures } from './write-figures.js';

const ASKED = [
  { quantize: 'int16' },
  { quantize: 'int8' },
  { prune: 0.5 },
  { quantize: 'int8', prune: 0.5 },
  { quantize: 'int8', prune: 0.8 },
].map((asked) => optimizeSchema.parse(asked));
const HELD_OUT = 5;

function readTelco(): TrainingTable {
  const text = gunzipSync(readFileSync(join(projectRoot(), 'data/samples/telco_churn.csv.gz'))).toString('utf8');
  const [header, ...lines] = text.trim().split(/\r?\n/);
  const names = header!.split(',');
  const cells = lines.map((line) => line.split(','));
  const columns = names.map((name, column) => ({ name, values: cells.map((row) => row[column] || null) }));
  const churn = columns.find(({ name }) => name.toLowerCase() === 'churn')!;
  const y = Float64Array.from(churn.values, (value) => Number(value === 'Yes'));
  const rows = Int32Array.from(cells.keys());
  return {
    rows: cells.length,
    features: columns.filter((column) => column !== churn && column.name.toLowerCase() !== 'customerid'),
    groups: rows,
    units: Float64Array.from(rows),
    targets: [{ head: { name: 'label', column: churn.name, task: 'multiclass' }, y, classes: ['No', 'Yes'] }],
    isHeldOut: Uint8Array.from(rows, (row) => Number((row * 7919) % HELD_OUT === 0)),
    isInTime: false,
  };
}

const planOf = (algorithm: string, hyperparameters: object) =>
  ({
    kind: 'classification',
    algorithm,
    hyperparameters: { seed: 1, ...hyperparameters },
    seed: 1,
    settings: { split: 'random' },
  }) as unknown as TrainingPlan;

const table = readTelco();
const isTraining = (row: number) => table.isHeldOut[row] === 0;
const training = rowsOf(table.targets[0]!, isTraining);
const encoder = fitTableEncoder(table.features, training);
const x = encodeTable(encoder, table.features);

async function fit(plan: TrainingPlan): Promise<FittedHead[]> {
  const onProgress = () => {};
  if (plan.algorithm !== 'neural_network')
    return [fitHead({ ...headInput(plan, table, encoder, x, table.targets[0]!, isTraining), onProgress })];
  const input = networkInput(plan, table, encoder, x, table.targets, training);
  return (await fitNetworkHeads({ ...input, onProgress })).heads;
}

const { values: flags } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
const lines: (string | number)[][] = [
  [
    'algorithm',
    '`quantize`',
    '`prune`',
    'growth of the log loss [95 % interval]',
    'kB',
    'µs a row',
    'served at `max_loss: 0.01`',
  ],
];
for (const [algorithm, hyperparameters] of [
  ['random_forest', {}],
  ['gradient_boosting', {}],
  ['neural_network', { hidden_units: [64, 32], epochs: 30 }],
] as const) {
  const plan = planOf(algorithm, hyperparameters);
  const fitted = await fit(plan);
  for (const optimize of ASKED) {
    const trial = tryVariants({ ...plan, optimize }, table, encoder, fitted).report.heads['label']!;
    process.stdout.write(`${JSON.stringify({ name: 'optimize', algorithm, ...optimize, ...trial })}\n`);
    const { change, bytes, cpu_us_per_row: cpu } = trial;
    lines.push([
      algorithm.replace('_', ' '),
      optimize.quantize ?? '',
      optimize.prune ?? '',
      `${percent(change!.value)} [${percent(change!.lower)}, ${percent(change!.upper)}]`,
      `${Math.round(bytes!.before / 1000)} → ${Math.round(bytes!.after / 1000)}`,
      `${cpu!.before} → ${cpu!.after}`,
      trial.used ? 'yes' : 'no',
    ]);
  }
}
if (flags.write) writeFigures('docs/guide/tables.md', 'optimize', lines);
process.exit(0);
