/**
 * How often the monitor of realised metrics is wrong, and how soon it finds a decay: seeded simulations of the very code that decides.
 *
 * Run: npm run bench:performance -- [--years 100] [--only clean|decay]. Ends with 1 where a promise is broken.
 */
import { parseArgs } from 'node:util';
import { JUDGED, watchModel } from './monitors/simulated-truths.js';

const { values: flags } = parseArgs({ options: { years: { type: 'string' }, only: { type: 'string' } } });
const years = Number(flags.years ?? 100);
const FALSE_ALARMS_A_YEAR = 0.5;
const ruleWith = (margin: number) => ({
  leastRows: 30,
  margin,
  windowsAFalseAlarm: (365 * JUDGED.length) / FALSE_ALARMS_A_YEAR,
});

let broken = 0;
function report(promise: string, isKept: boolean, detail: string): void {
  if (!isKept) broken++;
  process.stdout.write(`${isKept ? 'ok    ' : 'BROKEN'}  ${promise}: ${detail}\n`);
}

/** Where nothing decays, with a margin as the service has it and without any. */
function countFalseAlarms(): void {
  for (const [margin, rowsADay] of [
    [0.1, 200],
    [0, 200],
    [0, 40],
  ] as const) {
    let alarms = 0;
    for (let year = 0; year < years; year++) {
      const model = { seed: 1000 * rowsADay + year, rowsADay, days: 365, holdoutRows: 1000, changeDay: 0, noise: 0 };
      for (const days of Object.values(watchModel(model, ruleWith(margin)))) alarms += days.length;
    }
    report(
      `no decay, ${rowsADay} truths a day, margin ${margin}: at most ${FALSE_ALARMS_A_YEAR} alarms a model-year over four metrics`,
      alarms / years <= FALSE_ALARMS_A_YEAR,
      `${alarms} in ${years} model-years`,
    );
  }
}

/** From day 30 on a share of the truths no longer follows the probabilities. */
function measureDelays(): void {
  for (const [noise, within, least] of [
    [0.5, 3, 0.95],
    [0.25, 10, 0.9],
  ] as const) {
    const runs = Math.max(20, years);
    const delays: number[] = [];
    for (let run = 0; run < runs; run++) {
      const model = { seed: 77 + run, rowsADay: 200, days: 60, holdoutRows: 1000, changeDay: 30, noise };
      const found = Object.values(watchModel(model, ruleWith(0.1))).flat();
      const first = Math.min(...found.filter((day) => day >= 30));
      delays.push(first - 29);
    }
    const share = delays.filter((delay) => delay <= within).length / runs;
    const median = delays.toSorted((a, b) => a - b)[runs >> 1];
    report(
      `${noise * 100} % of the truths come loose from the probabilities: found within ${within} windows of 200 truths`,
      share >= least,
      `${(share * 100).toFixed(0)} % (median ${median})`,
    );
  }
}

if (flags.only !== 'decay') countFalseAlarms();
if (flags.only !== 'clean') measureDelays();
process.exitCode = broken > 0 ? 1 : 0;
