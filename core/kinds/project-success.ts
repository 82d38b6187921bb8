import { z } from 'zod';
import type { HeadOutput } from './heads.js';
import { rounded, type ShapedPrediction } from './shaped-prediction.js';

const label = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and `_`');

/** When a feature makes success less likely, what that is called and what to do about it. */
const riskRuleSchema = z.strictObject({
  feature: z.string().min(1).describe('The feature whose effect on the success probability is looked at'),
  when: z
    .enum(['high', 'low', 'any'])
    .default('any')
    .describe('Only where the value lies above, or below, the median of the training rows'),
  risk: label.describe('The risk factor that is answered'),
  recommendation: label.describe('The recommendation that goes with it'),
});
export type RiskRule = z.output<typeof riskRuleSchema>;

/** What only a model of the kind `project_success` has in its config entry, below `project`. */
export const projectSettingsSchema = z.strictObject({
  success_value: z.string().min(1).default('success').describe('The value of the target that means success'),
  duration: z.string().min(1).default('actual_days').describe('Column with the days that a finished project took'),
  planned_duration: z
    .string()
    .min(1)
    .optional()
    .describe('Feature with the planned days, to compare the estimate with'),
  overrun: z
    .strictObject({ risk: label, recommendation: label })
    .optional()
    .describe('Answered where even the lower end of the completion interval exceeds the plan'),
  least_effect: z
    .number()
    .min(0)
    .max(1)
    .default(0.03)
    .describe('A feature is a risk factor when it lowers the success probability by at least this much'),
  safe_probability: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('From this success probability on no risk factor is answered: what lowers it is outweighed'),
  most_factors: z.int().min(1).max(20).default(3).describe('Risk factors in one answer, the strongest first'),
  rules: z.array(riskRuleSchema).max(200).default([]).describe('The table of risk factors; the first rule that fits'),
});
export type ProjectSettings = z.output<typeof projectSettingsSchema>;

/** What a feature did to the success probability of one project. */
export interface FeatureEffect {
  feature: string;
  value: string | number | boolean | null;
  contribution: number;
}

/**
 * The answer about one project. Risk factors are the features that lower the success probability the most, by the model's own
 * attributions, named by the rules of the config; a feature without a rule is named after itself.
 * @param medians of the numeric features over the training rows, for the rules that say `high` or `low`
 */
export function shapeProjectSuccess(
  outputs: readonly HeadOutput[],
  effects: readonly FeatureEffect[],
  settings: ProjectSettings,
  medians: Readonly<Record<string, number>>,
  planned: number | undefined,
): ShapedPrediction {
  const success = outputs.find((output) => output.task === 'binary');
  const duration = outputs.find((output) => output.task === 'regression');
  const risks: string[] = [];
  const recommendations: string[] = [];
  const add = (risk: string, recommendation: string) => {
    if (!risks.includes(risk)) risks.push(risk);
    if (!recommendations.includes(recommendation)) recommendations.push(recommendation);
  };
  const { overrun } = settings;
  if (overrun && planned !== undefined && duration?.task === 'regression' && duration.interval.lower > planned)
    add(overrun.risk, overrun.recommendation);
  const probability = success?.task === 'binary' ? (success.probabilities[1] ?? 0) : 0;
  const harmful =
    probability < settings.safe_probability
      ? effects
          .filter((effect) => effect.contribution <= -settings.least_effect && effect.contribution < 0)
          .sort((a, b) => a.contribution - b.contribution)
      : [];
  for (const effect of harmful) {
    if (risks.length >= settings.most_factors) break;
    const rule = settings.rules.find((candidate) => isMatch(candidate, effect, medians));
    add(rule?.risk ?? `unfavourable_${effect.feature}`, rule?.recommendation ?? `review_${effect.feature}`);
  }
  const predictions: Record<string, unknown> = { success_probability: rounded(probability) };
  const confidence: Record<string, number> = { success_probability: rounded(Math.max(probability, 1 - probability)) };
  if (duration?.task === 'regression') {
    const { lower, upper, level } = duration.interval;
    predictions['completion_time_estimate'] = rounded(duration.value);
    predictions['completion_time_interval'] = { lower: rounded(Math.max(0, lower)), upper: rounded(upper), level };
    confidence['completion_time_estimate'] = level;
  }
  predictions['risk_factors'] = risks.length > 0 ? risks : ['no_major_risks'];
  predictions['recommendations'] = recommendations.length > 0 ? recommendations : ['project_looks_good'];
  return { predictions, confidence_scores: confidence };
}

function isMatch(rule: RiskRule, effect: FeatureEffect, medians: Readonly<Record<string, number>>): boolean {
  if (rule.feature !== effect.feature) return false;
  if (rule.when === 'any') return true;
  const median = medians[effect.feature];
  if (median === undefined || typeof effect.value !== 'number') return false;
  return rule.when === 'high' ? effect.value > median : effect.value < median;
}
