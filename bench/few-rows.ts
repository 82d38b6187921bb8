/**
 * What an entry that names no algorithm loses on few rows: samples of real tables are learned, and the rest of the rows (2,000 at most) judged. Ours, which
 * takes the mean of the learners that it cannot tell apart, beside the learner that seemed the best, and beside the best one in hindsight.
 *
 * Run: npm run bench:few-rows -- [--rows 120,400,900] [--samples 5] [--only telco] [--seed 1]
 * DATA_DIR has the data sets (default ../shared/data).
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { takeRows } from '../ml/matrix.js';
import { encodeLabels, fitLabelEncoder } from '../ml/preprocess/label-encoder.js';
import { createPrng, shuffle } from '../ml/random/prng.js';
import { queryColumns, withDuckDb } from '../services/duckdb.js';
import { fitEncoder } from '../services/kinds/tabular/fit-encoder.js';
import { answerRows, fitHead, type FittedHead } from '../services/kinds/tabular/fit-head.js';
import { createMembership, headInput } from '../services/kinds/tabular/fit-model.js';
import type { HeadTarget, TrainingTable } from '../services/kinds/tabular/training-table.js';
import type { TrainingPlan } from '../services/training/training-plan.js';
import { TABLE_SETS, type TableSet } from './accuracy/table-sets.js';

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '120,400,900' },
    samples: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
});
const MOST_JUDGED = 2000;
const dataDir = resolve(process.env['DATA_DIR'] ?? '../shared/data');

interface Losses {
  ours: number;
  seemedBest: number;
  bestInHindsight: number;
}

async function readTable(set: TableSet): Promise<TrainingTable> {
  const columns = await withDuckDb((connection) => queryColumns(connection, set.sql(dataDir)));
  const truth = columns.find(({ name }) => name === 'target')!.values;
  const labels = fitLabelEncoder(truth);
  const numbers = Int32Array.from(truth, (_, row) => row);
  const target: HeadTarget = {
    head: { name: 'label', column: 'target', task: 'multiclass' },
    y: Float64Array.from(encodeLabels(labels, truth)),
    classes: labels.classes,
  };
  return {
    rows: truth.length,
    features: columns.filter(({ name }) => name !== 'target'),
    groups: numbers,
    units: Float64Array.from(numbers),
    targets: [target],
    isHeldOut: new Uint8Array(truth.length),
    isInTime: false,
  };
}

function measureSample(set: TableSet, table: TrainingTable, rows: number, seed: number): Losses {
  const numbers = Uint32Array.from({ length: table.rows }, (_, row) => row);
  const order = shuffle(numbers, createPrng(seed));
  const judged = order.slice(rows, rows + MOST_JUDGED).toSorted();
  const [target] = table.targets;
  const plan = {
    model: set.name,
    datasetId: set.name,
    kind: 'classification',
    algorithm: 'auto',
    hyperparameters: { seed },
    seed,
    features: table.features.map(({ name }) => name),
    heads: [target!.head],
    settings: { split: 'random' },
  } as unknown as TrainingPlan;
  const encoded = fitEncoder(plan, table, order.slice(0, rows).toSorted());
  const input = {
    ...headInput(plan, table, encoded.encoder, encoded.x, target!, createMembership(table.rows, encoded.rows)),
    onProgress: () => {},
  };
  const lossOf = (head: FittedHead) => {
    const answers = answerRows(head, takeRows(encoded.x, judged));
    const { outputs } = head.model;
    let loss = 0;
    judged.forEach((row, at) => (loss -= Math.log(Math.max(1e-15, answers[at * outputs + target!.y[row]!]!))));
    return loss / judged.length;
  };
  const alone = input.variants.map((variant) => fitHead({ ...input, variants: [variant] }));
  const stated = alone.map(({ candidates }) => candidates[0]!.loss);
  return {
    ours: lossOf(fitHead(input)),
    seemedBest: lossOf(alone[stated.indexOf(Math.min(...stated))]!),
    bestInHindsight: Math.min(...alone.map(lossOf)),
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

process.stdout.write(
  'set, rows, log loss over that of the best learner in hindsight: ours, of the one that seemed the best\n',
);
for (const set of TABLE_SETS) {
  if (set.task !== 'classification' || set.split !== 'folds' || set.isHopeless || !set.name.includes(flags.only))
    continue;
  const table = await readTable(set);
  for (const rows of flags.rows.split(',').map(Number)) {
    if (rows > table.rows / 2) continue;
    const losses = Array.from({ length: Number(flags.samples) }, (_, at) =>
      measureSample(set, table, rows, Number(flags.seed) * 1000 + at),
    );
    const over = (of: 'ours' | 'seemedBest') => mean(losses.map((one) => one[of] / one.bestInHindsight)).toFixed(3);
    process.stdout.write(
      `${set.name.padEnd(36)} ${String(rows).padStart(5)}  ${over('ours')}  ${over('seemedBest')}\n`,
    );
  }
}
