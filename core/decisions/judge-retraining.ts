import type { RolloutVerdict } from './rollout-evidence.js';

/** Whether a version that was trained on fresh data does better on fresh labelled rows than the present one. */
export interface RetrainingVerdict {
  outcome: 'better' | 'no_better' | 'worse';
  reason: string;
}

/**
 * A new version is worth its rollout when the loss of a head is shown to be lower, and no measure is shown to be harmed: being as good is
 * no reason to change what is served.
 * @param verdict of `judgeRollout` on rows that both versions have answered
 */
export function judgeRetraining({ findings }: Pick<RolloutVerdict, 'findings'>): RetrainingVerdict {
  const harmful = findings.find(({ finding }) => finding === 'harmful');
  if (harmful) return { outcome: 'worse', reason: harmful.reason };
  const losses = findings.filter(({ measure }) => measure.startsWith('loss:'));
  const better = losses.find(({ upper }) => upper !== null && upper < 0);
  const tell = (estimate: number | null) => (estimate === null ? 'not known' : Math.abs(estimate).toPrecision(3));
  const way = (estimate: number | null) => ((estimate ?? 0) > 0 ? 'higher' : 'lower');
  if (better)
    return {
      outcome: 'better',
      reason: `${better.measure} is lower by ${tell(better.estimate)}, and by ${tell(better.upper)} at least.`,
    };
  const shown = losses.map(
    ({ measure, estimate }) => `${measure} is ${way(estimate)} by ${tell(estimate)}, which may be chance`,
  );
  return {
    outcome: 'no_better',
    reason: shown.length > 0 ? `${shown.join('; ')}.` : 'No loss could be compared.',
  };
}
