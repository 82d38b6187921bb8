import { normalQuantile } from '../../ml/evaluate/normal-quantile.js';
import { judgeRollout } from './judge-rollout.js';
import { comparePairs } from './measure-comparison.js';
import type { PairedEvidence } from './rollout-evidence.js';
import type { RolloutRule } from './rollout-rule.js';

/** Whether a version that was trained on fresh data does better on fresh labelled rows than the present one. */
export interface RetrainingVerdict {
  outcome: 'better' | 'no_better' | 'worse';
  reason: string;
}

const LEAST_ROWS = 30;

/**
 * A new version is worth its rollout when the loss of a head is shown to be lower, and no measure is shown to be harmed: being as good is
 * no reason to change what is served. The rows are looked at once, so that a one-sided bound at the rule's `promoteAlpha`, over all heads, is
 * enough for the first; the canary has the last word.
 * @param evidence rows that both versions have answered
 * @throws RangeError as `judgeRollout`
 */
export function judgeRetraining(evidence: PairedEvidence, rule: RolloutRule): RetrainingVerdict {
  const { findings } = judgeRollout(evidence, rule);
  const harmful = findings.find(({ finding }) => finding === 'harmful');
  if (harmful) return { outcome: 'worse', reason: harmful.reason };
  const losses = evidence.measures
    .filter(({ measure }) => measure.startsWith('loss:'))
    .map((measure) => comparePairs(measure, rule));
  const sure = normalQuantile(1 - rule.promoteAlpha / Math.max(1, losses.length));
  const shown = losses.map(({ measure, estimate, variance, missing, requests }) => {
    // Of few rows the bell curve is not believed, and the wider bound of the rollout stands in.
    const wide = requests < LEAST_ROWS ? null : findings.find((one) => one.measure === measure)!.upper;
    return { measure, estimate, upper: missing > 0 ? (wide ?? NaN) : estimate + sure * Math.sqrt(variance) };
  });
  const tell = (loss: number) => (Number.isFinite(loss) ? Math.abs(loss).toPrecision(3) : 'not known');
  const better = shown.find(({ upper }) => upper < 0);
  if (better)
    return {
      outcome: 'better',
      reason: `${better.measure} is lower by ${tell(better.estimate)}, and by ${tell(better.upper)} at least.`,
    };
  const told = shown.map(
    ({ measure, estimate }) =>
      `${measure} is ${estimate > 0 ? 'higher' : 'lower'} by ${tell(estimate)}, which may be chance`,
  );
  return { outcome: 'no_better', reason: told.length > 0 ? `${told.join('; ')}.` : 'No loss could be compared.' };
}
