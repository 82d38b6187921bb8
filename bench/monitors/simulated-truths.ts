import { judgeDecay, type DecayRule, type DecayVerdict } from '../../core/monitoring/judge-decay.js';
import { realisedMetrics } from '../../core/monitoring/metrics-of-tally.js';
import { tallyOutcome } from '../../core/monitoring/outcome-tally.js';
import { tallyOf, type Tally } from '../../core/monitoring/tally.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import { createPrng } from '../../ml/random/prng.js';

const HEADS = [{ name: 'y', task: 'binary' }];
export const JUDGED = ['accuracy', 'brier', 'log_loss', 'roc_auc'] as const;

/** A model whose probabilities are right until a day, and are mixed with noise from then on. */
export interface SimulatedModel {
  seed: number;
  rowsADay: number;
  days: number;
  holdoutRows: number;
  /** From when on what share of truths no longer follows the probabilities; 0 for never. */
  changeDay: number;
  noise: number;
}

function metricsOf(rows: number, noise: number, next: ReturnType<typeof createPrng>): Record<string, MetricEstimate> {
  const tally: Tally = {};
  for (let row = 0; row < rows; row++) {
    const p = Math.round(1e6 / (1 + Math.exp(-2 * next.nextGaussian()))) / 1e6;
    const truth = next.next() < (next.next() < noise ? 0.5 : p);
    tallyOutcome(tally, { y: p }, { y: truth }, HEADS);
  }
  return realisedMetrics(tallyOf(tallyOf(tally, 'heads'), 'y'));
}

/** Runs the very judgement of the monitor at the end of each day. @returns per metric the days on which an alarm began */
export function watchModel(model: SimulatedModel, rule: DecayRule): Record<string, number[]> {
  const prng = createPrng(model.seed);
  const holdout = metricsOf(model.holdoutRows, 0, prng);
  const days = Array.from({ length: model.days }, (_, day) =>
    metricsOf(model.rowsADay, model.changeDay > 0 && day >= model.changeDay ? model.noise : 0, prng),
  );
  const alarms: Record<string, number[]> = {};
  for (const metric of JUDGED) {
    alarms[metric] = [];
    let before: DecayVerdict['state'] = 'ok';
    for (let day = 1; day <= model.days; day++) {
      const windows = days.slice(Math.max(0, day - 60), day).map((known) => known[metric]);
      const { state } = judgeDecay(metric, windows, holdout[metric], rule);
      if (state === 'alarm' && before !== 'alarm') alarms[metric].push(day - 1);
      before = state;
    }
  }
  return alarms;
}
