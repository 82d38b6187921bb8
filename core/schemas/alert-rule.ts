import { z } from 'zod';
import { MONITOR_NAMES, SEVERITIES, type Severity } from '../monitoring/finding.js';

/** What the service watches of itself, without any monitor. */
export const PLATFORM_METRICS = ['failed_jobs', 'error_share', 'p99_ms', 'dependency_down'] as const;
export type PlatformMetric = (typeof PLATFORM_METRICS)[number];

export const RECEIVER_KINDS = ['webhook', 'slack', 'email', 'alertmanager'] as const;
export type ReceiverKind = (typeof RECEIVER_KINDS)[number];

/** A finding that says `alarm` has a severity; `none` calls nobody. */
const ALERT_SEVERITIES = SEVERITIES.slice(1) as [Severity, ...Severity[]];
export const alertSeveritySchema = z.enum(ALERT_SEVERITIES);

export const RULE_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
export const ruleNameSchema = z
  .string()
  .regex(RULE_NAME, 'must be lower case letters, digits, _ and -, at most 63, such as drift-of-price');
export const patternSchema = z.string().min(1).max(200).describe('`*` stands for any text, such as input:*');

const findingCondition = z.strictObject({
  monitor: z.enum(MONITOR_NAMES).optional().describe('All monitors by default'),
  subject: patternSchema.default('*'),
  segment: patternSchema.default('*'),
  least_severity: alertSeveritySchema.default('low').describe('Milder alarms count as none'),
});

const metricCondition = z.strictObject({
  metric: z
    .enum(PLATFORM_METRICS)
    .describe(
      'failed_jobs: number; error_share: share of requests that a version could not answer; p99_ms: of answers; dependency_down: 1 while one is away',
    ),
  above: z.number().min(0).default(0).describe('From where on it is an alarm, in the unit of the metric'),
  window_minutes: z.int().min(1).max(1440).default(5).describe('Minutes that one judgement looks at, each minute'),
});

export type MetricCondition = z.output<typeof metricCondition>;

export const ruleShape = {
  enabled: z.boolean().default(true),
  description: z.string().trim().min(1).max(500).optional(),
  when: z.union([metricCondition, findingCondition]).describe('Findings of monitors, or a metric of the service'),
  severity: alertSeveritySchema.optional().describe('By default that of the finding; medium for metrics'),
  open_after: z.int().min(1).max(30).default(1).describe('Windows in a row that must say alarm'),
  resolve_after: z.int().min(1).max(30).default(2).describe('Windows in a row that must say ok'),
  owner: z.string().trim().min(1).max(200).optional().describe('Who is to look at it'),
  receivers: z
    .array(
      z
        .string()
        .regex(
          /^(webhook|slack|email|alertmanager)(:[0-9a-f]{8})?$/,
          'must be a kind or an id of GET /alerts/receivers',
        ),
    )
    .max(20)
    .default([])
    .describe('Kinds or ids of GET /alerts/receivers; all without any'),
};

/** `alerts` of an entry of `models/config.yaml`. */
export const modelAlertsSchema = z.strictObject({
  false_alarms_per_year: z
    .number()
    .min(0)
    .max(1000)
    .default(2)
    .describe('When so many were marked false within a year, each rule asks for one more window'),
  rules: z.record(ruleNameSchema, z.strictObject(ruleShape)).default({}).describe('Rules of this model alone'),
});
