/**
 * How far from the minimum of known functions the samplers of `ml/search` are after 25, 50 and 100 trials: medians over 20 seeds beside
 * Optuna's in the same run, as JSON lines, with the ratio to its default sampler (TPE).
 *
 * Run: node dist/bench/sweep.js [--seeds 20] [--ours-only] [--write]
 * PEERS_DIR has tune_optuna.py (default ../shared/peers), PEERS_PYTHON is a Python with Optuna (default
 * ~/.cache/peers-venv/bin/python). An absent peer is skipped aloud.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createSampler, SAMPLERS, type SamplerName } from '../ml/search/create-sampler.js';
import type { Sampler } from '../ml/search/sampler.js';
import { parseSearchSpace } from '../ml/search/search-space.js';
import type { Trial } from '../ml/search/trial.js';
import { median } from '../ml/evaluate/median.js';
import { writeFigures } from './write-figures.js';

const BUDGETS = [25, 50, 100] as const;
const MOST_TRIALS = 100;
/** Optuna's own default, which the goal is about. */
const RIVAL = 'tpe';
/** The service's own default: for so few trials and parameters it is the Gaussian process, which is therefore not measured twice. */
const OURS = 'auto';
const MEASURED = SAMPLERS.filter((name) => name !== 'gp');

interface TestFunction {
  name: string;
  bounds: readonly (readonly [low: number, high: number])[];
  minimum: number;
  at: (x: readonly number[]) => number;
}

const HARTMANN_A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const HARTMANN_P = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];

/** As in the collection of S. Surjanovic and D. Bingham, "Virtual Library of Simulation Experiments". */
const FUNCTIONS: readonly TestFunction[] = [
  {
    name: 'branin',
    bounds: [
      [-5, 10],
      [0, 15],
    ],
    minimum: 0.397887,
    at: ([x = NaN, y = NaN]) =>
      (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 +
      10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
      10,
  },
  {
    name: 'hartmann6',
    bounds: Array.from({ length: 6 }, () => [0, 1] as const),
    minimum: -3.32237,
    at: (x) => {
      const inner = HARTMANN_A.map((row, i) =>
        row.reduce((sum, a, j) => sum + a * (x[j]! - 1e-4 * HARTMANN_P[i]![j]!) ** 2, 0),
      );
      return -[1, 1.2, 3, 3.2].reduce((sum, weight, i) => sum + weight * Math.exp(-inner[i]!), 0);
    },
  },
  {
    name: 'rastrigin5',
    bounds: Array.from({ length: 5 }, () => [-5.12, 5.12] as const),
    minimum: 0,
    at: (x) => 50 + x.reduce((sum, v) => sum + v * v - 10 * Math.cos(2 * Math.PI * v), 0),
  },
];

type Regrets = Record<`regret_${(typeof BUDGETS)[number]}`, number> & { ms_per_trial: number };

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const rounded = (value: number) => Number(value.toPrecision(3));

function searchOnce(sampler: Sampler, { bounds, at, minimum }: TestFunction, seed: number) {
  const history: Trial[] = [];
  const regrets: number[] = [];
  let best = Infinity;
  let suggestMs = 0;
  for (let index = 0; index < MOST_TRIALS; index++) {
    const startMs = performance.now();
    const configuration = sampler.suggest({ history, index, seed });
    suggestMs += performance.now() - startMs;
    const loss = at(bounds.map((_, d) => Number(configuration[`x${d}`])));
    history.push({ index, configuration, reports: [], outcome: { state: 'completed', losses: [loss], violation: 0 } });
    best = Math.min(best, loss);
    regrets.push(best - minimum);
  }
  return { regrets, suggestMs };
}

function measureOurs(of: TestFunction, name: SamplerName, seeds: number): Regrets {
  const space = parseSearchSpace(
    Object.fromEntries(of.bounds.map(([low, high], d) => [`x${d}`, { type: 'float', low, high }])),
  );
  const sampler = createSampler(name, space);
  const runs = Array.from({ length: seeds }, (_, seed) => searchOnce(sampler, of, seed));
  const entries = BUDGETS.map((budget) => [
    `regret_${budget}`,
    median(runs.map(({ regrets }) => regrets[budget - 1]!)),
  ]);
  const msPerTrial = runs.reduce((sum, { suggestMs }) => sum + suggestMs, 0) / (seeds * MOST_TRIALS);
  const result = { ...Object.fromEntries(entries), ms_per_trial: msPerTrial } as Regrets;
  const shown = Object.fromEntries(Object.entries(result).map(([key, value]) => [key, rounded(value)]));
  print({ name: 'sweep', function: of.name, by: 'ours', sampler: name, ...shown });
  return result;
}

/** @returns by function what Optuna's default reached, or undefined where it is absent */
function measureOptuna(): Map<string, Regrets> | undefined {
  const script = join(resolve(process.env['PEERS_DIR'] ?? '../shared/peers'), 'tune_optuna.py');
  const python = process.env['PEERS_PYTHON'] ?? join(homedir(), '.cache/peers-venv/bin/python');
  const hasOptuna = existsSync(python) && spawnSync(python, ['-c', 'import optuna']).status === 0;
  if (!hasOptuna || !existsSync(script)) {
    process.stderr.write(
      `SKIPPED Optuna: ${script} is absent, or ${python} has no optuna (PEERS_DIR, PEERS_PYTHON).\n`,
    );
    return undefined;
  }
  const run = spawnSync(python, [script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (run.status !== 0) throw new Error(`${script} ended with ${run.status}.`);
  const found = new Map<string, Regrets>();
  for (const line of run.stdout.trim().split('\n')) {
    const { function: of, sampler, ...figures } = JSON.parse(line) as Regrets & { function: string; sampler: string };
    print({ name: 'sweep', function: of, by: 'optuna', sampler, ...figures });
    if (sampler === RIVAL) found.set(of, figures);
  }
  return found;
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    'ours-only': { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const written: (string | number)[][] = [];
const cells = (regrets: Regrets) => [
  ...BUDGETS.map((budget) => rounded(regrets[`regret_${budget}`])),
  rounded(regrets.ms_per_trial),
];
const rivals = values['ours-only'] ? undefined : measureOptuna();
for (const of of FUNCTIONS) {
  for (const name of MEASURED) {
    const ours = measureOurs(of, name, Number(values.seeds));
    written.push([of.name, `ours, ${name}`, ...cells(ours)]);
    const theirs = rivals?.get(of.name);
    if ((name !== OURS && name !== RIVAL) || !theirs) continue;
    const ratios = BUDGETS.map((budget) => [
      `ratio_${budget}`,
      rounded(ours[`regret_${budget}`] / theirs[`regret_${budget}`]),
    ]);
    written.push([of.name, `ours, ${name}, to Optuna's TPE`, ...ratios.map(([, ratio]) => ratio!), '']);
    print({
      name: 'sweep.ratio',
      function: of.name,
      sampler: name,
      ours_to: `optuna ${RIVAL}`,
      ...Object.fromEntries(ratios),
    });
  }
  const theirs = rivals?.get(of.name);
  if (theirs) written.push([of.name, "Optuna's TPE", ...cells(theirs)]);
}
if (values.write)
  writeFigures('docs/reference/benchmarks.md', 'sweep', [
    ['function', 'sampler', ...BUDGETS.map((budget) => `${budget} trials`), 'ms a trial'],
    ...written,
  ]);
