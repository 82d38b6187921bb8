/** Whether a model is better than the answer that needs no model, on rows that no choice has seen. */
export interface SkillEvidence {
  head: string;
  /** What is compared: lower is better. */
  loss: 'log_loss' | 'absolute_error' | 'mase' | 'ndcg_at_10' | 'false_alarm_rate' | 'missed_anomalies';
  /** Mean of the baseline's loss minus the model's; above 0 the model is better. */
  difference: number;
  lower: number;
  upper: number;
  entities: number;
}

export interface PromotionVerdict {
  promotable: boolean;
  reason: string;
  evidence: readonly SkillEvidence[];
}

/**
 * A version may take traffic only when every head beats its baseline (base rate or median) by more than chance: the whole
 * 95 % interval of the paired difference lies above 0. No evidence is never success.
 */
export function judgePromotion(evidence: readonly SkillEvidence[]): PromotionVerdict {
  if (evidence.length === 0)
    return { promotable: false, reason: 'There is no evidence of skill: nothing was held out.', evidence };
  const without = evidence.filter((item) => !(item.lower > 0));
  if (without.length === 0)
    return {
      promotable: true,
      reason: 'Every head beats the answer that needs no model by more than chance.',
      evidence,
    };
  const names = without.map((item) => item.head).join(', ');
  return {
    promotable: false,
    reason: `No skill beyond the base answer was shown for ${names}: the held-out rows do not tell the model from it.`,
    evidence,
  };
}
