/**
 * How often the rules that decide on rollouts and experiments are wrong: seeded simulations of the very code that decides, each promise with
 * its Monte-Carlo error, and the published rules of other tools on the same users.
 *
 * Run: node dist/bench/decisions.js [--runs 1000] [--only 'heavy users']. Ends with 1 where a promise is broken.
 */
import { parseArgs } from 'node:util';
import {
  DECISION_GATES,
  errorRate,
  isHarmedByEntityClock,
  pairsToRollback,
  requestsToVerdict,
  USUAL,
} from './decisions/decision-gates.js';
import { adaptiveErrors, EXPERIMENT_GATES } from './decisions/experiment-gates.js';
import { PAIRED_GATES } from './decisions/paired-gates.js';
import { OTHER_RULES } from './decisions/other-rules.js';
import { runRollout, type RolloutEnd } from './decisions/run-rollout.js';
import { createPrng } from '../ml/random/prng.js';
import { median } from '../ml/evaluate/median.js';

const { values: flags } = parseArgs({ options: { runs: { type: 'string' }, only: { type: 'string' } } });
const runs = Number(flags.runs ?? 1000);
const print = (...cells: string[]) => process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const errorOf = (share: number) => Math.sqrt((share * (1 - share)) / runs);

let broken = 0;
print(`${runs} runs each; +- is one Monte-Carlo standard error\n`);
for (const { gate, promise, limit, happens } of [...DECISION_GATES, ...PAIRED_GATES, ...EXPERIMENT_GATES]) {
  if (flags.only && !gate.includes(flags.only)) continue;
  let count = 0;
  for (let run = 0; run < runs; run++) if (happens(run)) count++;
  const share = count / runs;
  const isKept = promise === 'at most' ? share <= limit : share >= limit;
  if (!isKept) broken++;
  print(
    isKept ? 'ok    ' : 'BROKEN',
    gate.padEnd(66),
    percent(share).padStart(7),
    `+- ${percent(errorOf(share))}`.padEnd(9),
    `${promise} ${percent(limit)}`,
  );
}
const SECTIONS = {
  bias: printBias,
  shadow: printShadow,
  clock: printEntityClock,
  budget: printBudget,
  tools: printTools,
};
for (const [name, section] of Object.entries(SECTIONS)) if (!flags.only || flags.only === name) section();
print(broken === 0 ? '\nAll promises are kept.' : `\n${broken} promises are broken.`);
process.exitCode = broken > 0 ? 1 : 0;

/** Adaptive allocation: the estimate must be right on average, where plain means are shown to be wrong. */
function printBias(): void {
  const errors = Array.from({ length: runs }, (_, run) => adaptiveErrors(run));
  const told = (['estimate', 'plain'] as const).map((name) => {
    const mean = errors.reduce((sum, error) => sum + error[name], 0) / runs;
    const deviation = Math.sqrt(errors.reduce((sum, error) => sum + (error[name] - mean) ** 2, 0) / (runs - 1) / runs);
    return { mean, deviation, text: `${(mean * 100).toFixed(3)} pp +- ${(deviation * 100).toFixed(3)}` };
  });
  const [estimate, plain] = [told[0]!, told[1]!];
  const isKept = Math.abs(estimate.mean) <= 3 * estimate.deviation && Math.abs(plain.mean) > 5 * plain.deviation;
  if (!isKept) broken++;
  print(
    `\n${isKept ? 'ok' : 'BROKEN'}: Thompson while conversion halves: the estimate is off by ${estimate.text} on average, the difference of plain means by ${plain.text}.`,
  );
}

function printShadow(): void {
  const pairs = Array.from({ length: runs }, (_, run) => pairsToRollback(0.045, 0.015, 5000, createPrng(114, run)));
  print(`\nA shadow that is 3 points less accurate is found after ${median(pairs)} pairs in the median run.`);
}

function printEntityClock(): void {
  let count = 0;
  for (let run = 0; run < runs; run++) if (isHarmedByEntityClock(run)) count++;
  print(
    `Were the clock the number of users, ${percent(count / runs)} of the healthy 2,000 users' rollouts would be rolled back.`,
  );
}

function printBudget(): void {
  print('');
  const cases = [
    [0.01, 1, 0.005, 'PROMOTE'],
    [0.01, 1, 0.01, 'PROMOTE'],
    [0.05, 1, 0.01, 'PROMOTE'],
    [0.01, 2, 0.005, 'ROLLBACK'],
    [0.01, 3, 0.005, 'ROLLBACK'],
    [0.01, 10, 0.005, 'ROLLBACK'],
  ] as const;
  for (const [base, factor, margin, wanted] of cases) {
    const errors = errorRate(base, base * factor, margin);
    const needed = Array.from({ length: runs }, (_, run) => requestsToVerdict(errors, wanted, createPrng(116, run)));
    print(
      `error rate ${percent(base)}, new version x${factor}, margin ${percent(margin)}:`,
      `${wanted} after ${median(needed)} requests an arm in the median run`,
    );
  }
}

function printTools(): void {
  for (const factor of [1, 1.5, 2]) printComparison(0.02, 0.01, factor);
  for (const factor of [1, 2, 4]) printComparison(0.005, 0.005, factor);
}

/** The same users and errors under our rule and the others'. */
function printComparison(base: number, margin: number, factor: number): void {
  print(`\nerror rate ${percent(base)}, new version x${factor} (margin ${percent(margin)})`);
  const errors = errorRate(base, base * factor, margin);
  const rules = [
    { tool: 'ours', run: (seed: number, run: number) => runRollout({ crowd: USUAL, measures: [errors] }, seed, run) },
    ...OTHER_RULES.map((rule) => ({
      tool: rule.tool,
      run: (seed: number, run: number) => rule.run(USUAL, errors, seed, run),
    })),
  ];
  for (const { tool, run } of rules) {
    const ends: RolloutEnd[] = Array.from({ length: runs }, (_, index) => run(200 + 10 * factor, index));
    const share = (end: RolloutEnd['end']) => percent(ends.filter((item) => item.end === end).length / runs);
    print(
      `  ${tool.padEnd(14)}`,
      `promoted ${share('promoted').padStart(7)}`,
      `rolled back ${share('rolled back').padStart(7)}`,
      `asked ${share('asked').padStart(6)}`,
      `median windows ${median(ends.map(({ windows }) => windows))}`,
    );
  }
}
