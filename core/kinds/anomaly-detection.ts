import { z } from 'zod';
import { commonPredictFields, entityIdSchema, featuresSchema } from '../schemas/prediction.js';
import { rounded, type ShapedPrediction } from './shaped-prediction.js';

const label = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and `_`');

const typeRuleSchema = z.strictObject({
  feature: z.string().min(1).describe('The feature that is far out'),
  when: z.enum(['high', 'low']).describe('On which side'),
  type: label.describe('What such an anomaly is called'),
  recommendation: label.describe('What to do about it'),
});

const severityRuleSchema = z.strictObject({
  at_most: z.number().max(0).describe('The anomaly score from which downwards the severity holds'),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  recommendation: label.optional().describe('What to do about any anomaly this severe'),
});

/** The tables that anomalies are named by, where the config does not say otherwise. */
const DEFAULT_TYPES = [
  { feature: 'cpu_usage', when: 'high', type: 'cpu_spike', recommendation: 'scale_cpu_resources' },
  { feature: 'memory_usage', when: 'high', type: 'memory_leak', recommendation: 'check_for_memory_leaks' },
  { feature: 'error_rate', when: 'high', type: 'error_burst', recommendation: 'check_recent_deployments' },
  { feature: 'request_rate', when: 'high', type: 'traffic_surge', recommendation: 'scale_out' },
  { feature: 'request_rate', when: 'low', type: 'traffic_drop', recommendation: 'check_upstream' },
] as const;
const DEFAULT_SEVERITIES = [
  { at_most: -4, severity: 'critical', recommendation: 'investigate_immediately' },
  { at_most: -1, severity: 'high', recommendation: 'investigate_immediately' },
  { at_most: -0.5, severity: 'medium', recommendation: 'investigate_soon' },
  { at_most: 0, severity: 'low', recommendation: 'keep_watching' },
] as const;

/** What only a model of the kind `anomaly_detection` has in its config entry, below `anomaly`. */
export const anomalySettingsSchema = z.strictObject({
  columns: z
    .record(z.string().min(1), z.string().min(1))
    .optional()
    .describe('Feature = column of the data; the features are then called otherwise than the columns'),
  label: z
    .string()
    .min(1)
    .optional()
    .describe('Column that names known anomalies: such rows are not learned from, and measure the detection'),
  types: z
    .array(typeRuleSchema)
    .max(200)
    .default([...DEFAULT_TYPES])
    .describe('The type of an anomaly, first fit wins'),
  severities: z
    .array(severityRuleSchema)
    .min(1)
    .max(10)
    .default([...DEFAULT_SEVERITIES])
    .describe('From the lowest score upwards'),
});
export type AnomalySettings = z.output<typeof anomalySettingsSchema>;

const timestampSchema = z.iso.datetime({ offset: true });

/** Earlier measurements of the same series in a request. */
const historySchema = z
  .array(z.object({ timestamp: timestampSchema }).catchall(z.union([z.number(), z.null()])))
  .min(1)
  .max(5000)
  .describe('Earlier measurements of the same series, in any order: the time, and a number by feature');

/** A request to judge one row, by itself or beside what its series did before. */
export const anomalyRequestSchema = z.strictObject({
  entity_id: entityIdSchema.optional(),
  features: featuresSchema.describe('The measurements; a missing one counts as not known'),
  history: historySchema.optional(),
  timestamp: timestampSchema
    .optional()
    .describe('When the features were measured; one usual step after the history by default'),
  threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('The sensitivity: it stands for a false alarm rate of 1 in 2,000 at 0, 1 in 100 at 0.5, 1 in 5 at 1'),
  ...commonPredictFields,
});

/** What of a request reaches the model besides the features. */
export const anomalyOptionsSchema = z.object({
  history: historySchema.optional(),
  timestamp: timestampSchema.optional(),
  threshold: z.number().min(0).max(1).default(0.5),
});
export type AnomalyOptions = z.output<typeof anomalyOptionsSchema>;

/** How far out one feature lies. */
export interface FeatureFinding {
  feature: string;
  /** -log10 of the share of values at least as far out, at most log10 of their count. */
  score: number;
  side: 'low' | 'high';
}

/** What the history of a row says about it. */
export interface SeriesFinding {
  /** Share of the earlier measurements that were at least as odd as this one. */
  pValue: number;
  features: FeatureFinding[];
  /** By feature what is usual at this time of day, or of the week; null where the history has no earlier day. */
  expected: Record<string, number | null>;
}

/** What the detector found of one row. */
export interface AnomalyFinding {
  /** Share of normal rows that are at least as odd; beyond all that were seen it goes on falling, so it is above 0. */
  pValue: number;
  /** The false alarm rate that the caller's threshold stands for. */
  alarmRate: number;
  /** Beside the training rows. */
  features: FeatureFinding[];
  /** Where the request had a history long enough. */
  series?: SeriesFinding;
}

/** Two features are equally far out when their tails differ by less than this factor of ten. */
const SAME_TAIL = 0.05;

/**
 * The answer about one row. `anomaly_score` is log10(p / false alarm rate): below 0 exactly where the row is an anomaly at the given
 * threshold, and each unit lower is ten times rarer. With a history p is twice the smaller of both p-values, so that two looks
 * raise no more false alarms than one (Bonferroni), and the rarer look names the type. The type is that of the feature farthest
 * out; of equally far ones that which stands first in the table, so list causes before their effects. Where no single feature is
 * out by itself, only their combination is odd: `composite`.
 */
export function shapeAnomaly(finding: AnomalyFinding, settings: AnomalySettings): ShapedPrediction {
  const { pValue, features } = decide(finding);
  const score = Math.log10(pValue / finding.alarmRate);
  const isAnomaly = score < 0;
  const expected = finding.series && { expected: roundedValues(finding.series.expected) };
  const confidence = { is_anomaly: rounded(isAnomaly ? 1 - pValue : Math.min(1, pValue)) };
  if (!isAnomaly)
    return {
      predictions: {
        is_anomaly: false,
        anomaly_score: rounded(score),
        anomaly_type: 'none',
        severity: 'none',
        recommendations: ['no_action_needed'],
        ...expected,
      },
      confidence_scores: confidence,
    };
  const rule = settings.severities.find((candidate) => score <= candidate.at_most) ?? settings.severities.at(-1)!;
  const type = chooseType(features, finding.alarmRate, settings);
  const recommendations = [rule.recommendation, type.recommendation].filter((item) => item !== undefined);
  return {
    predictions: {
      is_anomaly: true,
      anomaly_score: rounded(score),
      anomaly_type: type.type,
      severity: rule.severity,
      recommendations: [...new Set(recommendations)],
      ...expected,
    },
    confidence_scores: confidence,
  };
}

function decide({ pValue, features, series }: AnomalyFinding): { pValue: number; features: FeatureFinding[] } {
  if (!series) return { pValue, features };
  const rarer = series.pValue < pValue ? series : { pValue, features };
  return { pValue: Math.min(1, 2 * rarer.pValue), features: rarer.features };
}

const roundedValues = (values: Record<string, number | null>): Record<string, number | null> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value === null ? null : rounded(value)]));

function chooseType(
  features: readonly FeatureFinding[],
  alarmRate: number,
  { types }: AnomalySettings,
): { type: string; recommendation?: string } {
  const farthest = Math.max(0, ...features.map((one) => one.score));
  if (farthest < -Math.log10(alarmRate)) return { type: 'composite', recommendation: 'look_at_all_measurements' };
  const out = features.filter((one) => one.score >= farthest - SAME_TAIL);
  const named = types.find((rule) => out.some((one) => one.feature === rule.feature && one.side === rule.when));
  if (named) return named;
  const first = out[0]!;
  return { type: `${first.side}_${first.feature}`, recommendation: `check_${first.feature}` };
}
