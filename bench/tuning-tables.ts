/**
 * How well boosting is tuned on two real tables: the samplers of `ml/search` beside Optuna's default, which asks this process for the same losses
 * (`bench/tune_by_lines.py`). The same space, rows, seeds and budgets; a loss is remembered by its configuration. Medians over the
 * seeds of how far the best log loss is from the best that anybody found, as JSON lines, with the ratio to Optuna. Few rows and rounds make
 * a fit cheap, so that twenty seeds take about ten minutes of one core a table.
 *
 * Run: node dist/bench/tuning-tables.js [--sets telco_churn,online_shoppers] [--seeds 20] [--trials 100] [--rows 400] [--write]
 * DATA_DIR has the data sets (default ../shared/data), PEERS_PYTHON is a Python with Optuna (default ~/.cache/peers-venv/bin/python).
 */
import { takeRows } from '../ml/matrix.js';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { defaultGradientBoostingParameters, fitGradientBoosting } from '../ml/ensemble/gradient-boosting.js';
import { encodeTable, fitTableEncoder } from '../ml/preprocess/table-encoder.js';
import { createSampler, type SamplerName } from '../ml/search/create-sampler.js';
import { parseSearchSpace, searchSpaceJson, type Configuration } from '../ml/search/search-space.js';
import type { Trial } from '../ml/search/trial.js';
import { queryColumns, withDuckDb } from '../services/duckdb.js';
import { pick } from '../services/kinds/tabular/candidate.js';
import { defaultTabularSpace } from '../services/kinds/tabular/search-space.js';
import { TABLE_SETS } from './accuracy/table-sets.js';
import { median } from '../ml/evaluate/median.js';
import { writeFigures } from './write-figures.js';

const SETS = ['telco_churn', 'online_shoppers'] as const;
const SAMPLERS: readonly SamplerName[] = ['auto', 'tpe', 'random'];
const BUDGETS = [25, 50, 100] as const;
/** Rounds that every configuration gets at most; where it does best is kept, as early stopping would. */
const ROUNDS = 100;

type Objective = (configuration: Configuration) => number;

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    trials: { type: 'string', default: '100' },
    rows: { type: 'string', default: '400' },
    sets: { type: 'string', default: SETS.join() },
    write: { type: 'boolean', default: false },
  },
});
const seeds = Number(flags.seeds);
const trials = Number(flags.trials);
const dataDir = resolve(process.env['DATA_DIR'] ?? '../shared/data');
const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
const space = parseSearchSpace(
  defaultTabularSpace({ algorithm: 'gradient_boosting' } as Parameters<typeof defaultTabularSpace>[0]),
);
const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Log loss on as many other rows of the table, by configuration. */
async function objectiveOf(name: string, rows: number): Promise<Objective> {
  const set = TABLE_SETS.find((one) => one.name.startsWith(name))!;
  const columns = await withDuckDb((connection) => queryColumns(connection, set.sql(dataDir)));
  const truth = columns.find((column) => column.name === 'target')!.values;
  const features = columns.filter((column) => column.name !== 'target');
  const y = Float64Array.from(truth, (value) => Number(value));
  const step = Math.max(1, Math.floor(y.length / (2 * rows)));
  const chosen = Uint32Array.from({ length: Math.min(2 * rows, y.length) }, (_, at) => at * step);
  const fitted = chosen.filter((_, at) => at % 2 === 0);
  const judged = chosen.filter((_, at) => at % 2 === 1);
  const encoder = fitTableEncoder(features, fitted);
  const x = encodeTable(encoder, features);
  const categorical = encoder.features
    .filter((feature) => feature.type === 'category' && feature.encoding === 'ordinal')
    .map((feature) => feature.start);
  const [training, validation] = [fitted, judged].map((part) => ({ x: takeRows(x, part), y: pick(y, part) }));
  const known = new Map<string, number>();
  return (configuration) => {
    const key = JSON.stringify(space.parameters.map((parameter) => configuration[parameter.name]));
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = fitOnce(training!, validation!, categorical, configuration);
    known.set(key, found);
    return found;
  };
}

type Rows = { x: ReturnType<typeof takeRows>; y: Float64Array };

function fitOnce(training: Rows, validation: Rows, categorical: readonly number[], given: Configuration): number {
  const loss = { kind: 'logistic' } as const;
  let best = Infinity;
  fitGradientBoosting({
    ...training,
    categorical,
    loss,
    validation,
    parameters: {
      ...defaultGradientBoostingParameters(loss),
      nEstimators: ROUNDS,
      learningRate: Number(given['learning_rate']),
      maxLeaves: Number(given['max_leaf_nodes']),
      minSamplesLeaf: Number(given['min_samples_leaf']),
      l2: Number(given['l2_regularization']),
      rowSubsample: Number(given['subsample']),
      columnSubsample: Number(given['max_features']),
      earlyStoppingRounds: 20,
      seed: 1,
    },
    onRound: ({ validationLoss = Infinity }) => void (best = Math.min(best, validationLoss)),
  });
  return best;
}

const written: (string | number)[][] = [];

/** The best loss after each trial. */
const bestSoFar = (losses: readonly number[]) => losses.map((_, at) => Math.min(...losses.slice(0, at + 1)));

function searchOnce(name: SamplerName, objective: Objective, seed: number): number[] {
  const sampler = createSampler(name, space);
  const history: Trial[] = [];
  const losses: number[] = [];
  for (let index = 0; index < trials; index++) {
    const configuration = sampler.suggest({ history, index, seed });
    const loss = objective(configuration);
    losses.push(loss);
    history.push({ index, configuration, reports: [], outcome: { state: 'completed', losses: [loss], violation: 0 } });
  }
  return bestSoFar(losses);
}

/** Lets Optuna draw; it asks for each loss by a line, and gets it by a line. */
async function searchByOptuna(objective: Objective): Promise<number[][]> {
  const peer = spawn(python, ['bench/tune_by_lines.py'], { stdio: ['pipe', 'pipe', 'inherit'] });
  peer.stdin.write(`${JSON.stringify({ space: searchSpaceJson(space), seeds, trials })}\n`);
  const runs: number[][] = [];
  for await (const line of createInterface({ input: peer.stdout })) {
    const { seed, configuration } = JSON.parse(line) as { seed: number; configuration: Configuration };
    const loss = objective(configuration);
    (runs[seed] ??= []).push(loss);
    peer.stdin.write(`${loss}\n`);
  }
  return runs.map(bestSoFar);
}

async function measureSet(set: string): Promise<void> {
  const objective = await objectiveOf(set, Number(flags.rows));
  const runs = new Map<string, number[][]>();
  for (const name of SAMPLERS)
    runs.set(
      name,
      Array.from({ length: seeds }, (_, seed) => searchOnce(name, objective, seed)),
    );
  if (existsSync(python)) runs.set('optuna', await searchByOptuna(objective));
  else process.stderr.write(`SKIPPED Optuna: there is no ${python} (PEERS_PYTHON).\n`);
  const least = Math.min(...[...runs.values()].flat().map((run) => run.at(-1)!));
  const budgets = BUDGETS.filter((budget) => budget <= trials);
  const regret = (name: string, budget: number) => median(runs.get(name)!.map((run) => run[budget - 1]! - least));
  const three = (value: number) => Number(value.toPrecision(3));
  for (const name of runs.keys()) {
    const found = budgets.map((budget) => three(regret(name, budget)));
    const ratios = runs.has('optuna')
      ? budgets.map((budget) => three(regret(name, budget) / regret('optuna', budget)))
      : [];
    const named = (of: string, figures: readonly number[]) =>
      Object.fromEntries(figures.map((figure, at) => [`${of}_${budgets[at]}`, figure]));
    print({ name: 'tuning-tables', set, sampler: name, least, ...named('regret', found), ...named('ratio', ratios) });
    written.push([set, name === 'optuna' ? "Optuna's TPE" : `ours, ${name}`, ...found, ratios.join(', ')]);
  }
}

if (!existsSync(join(dataDir, 'baselines.json')))
  process.stdout.write(`There are no data sets in ${dataDir}; set DATA_DIR to the folder that has baselines.json.\n`);
else for (const set of flags.sets.split(',')) await measureSet(set);
if (flags.write && written.length > 0)
  writeFigures('docs/reference/benchmarks.md', 'tuning-tables', [
    [
      'table',
      'sampler',
      ...BUDGETS.filter((budget) => budget <= trials).map((budget) => `${budget} trials`),
      "to Optuna's",
    ],
    ...written,
  ]);
