import type { MonitorName } from '../monitoring/finding.js';
import type { AlertRuleSettings } from '../schemas/alert.js';

/** Where a rule comes from; an earlier one stands before a later one. */
export const RULE_ORIGINS = ['api', 'file', 'built_in'] as const;
export type RuleOrigin = (typeof RULE_ORIGINS)[number];

export interface AlertRule extends AlertRuleSettings {
  name: string;
  declaredIn: RuleOrigin;
}

const rule = (name: string, description: string, more: Pick<AlertRule, 'when'> & Partial<AlertRule>): AlertRule => ({
  name,
  declaredIn: 'built_in',
  enabled: true,
  description,
  open_after: 1,
  resolve_after: 2,
  receivers: [],
  models: [],
  ...more,
});
const findingsOf = (monitor: MonitorName) => ({ monitor, subject: '*', segment: '*', least_severity: 'low' }) as const;

/** In force without any config; one of the same name that is given by the API takes its place. */
export const BUILT_IN_RULES: readonly AlertRule[] = [
  // Monitors ask twice before they say alarm, so that one alarm is enough here.
  rule('drift', 'Inputs, predictions or labels are not distributed as before.', { when: findingsOf('drift') }),
  rule('performance', 'A metric is worse than it was.', { when: findingsOf('performance') }),
  rule('data-quality', 'Values are missing, new or out of range.', { when: findingsOf('data_quality') }),
  rule('stream', 'Errors, slow or constant answers, or a sudden change.', { when: findingsOf('stream') }),
  rule('failed-jobs', 'More than three jobs failed within an hour.', {
    when: { metric: 'failed_jobs', above: 3, window_minutes: 60 },
    resolve_after: 1,
  }),
  rule('unanswered', 'Versions cannot answer more than 5 % of the requests.', {
    when: { metric: 'error_share', above: 0.05, window_minutes: 5 },
    severity: 'high',
    open_after: 2,
    resolve_after: 5,
  }),
  rule('slow-answers', 'One answer in a hundred takes longer than a quarter of a second.', {
    when: { metric: 'p99_ms', above: 250, window_minutes: 10 },
    open_after: 3,
    resolve_after: 5,
  }),
  rule('dependency', 'A worker or a dependency is away.', {
    when: { metric: 'dependency_down', above: 0, window_minutes: 1 },
    severity: 'high',
    open_after: 3,
    resolve_after: 2,
  }),
];

/** Whether a text fits a pattern in which `*` stands for any text. Time grows with the product of the lengths at most. */
export function fitsPattern(text: string, pattern: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return text === pattern;
  const [first, last] = [parts[0]!, parts.at(-1)!];
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** The rule that a finding belongs to: the first that fits, so that nobody is told twice of one thing. */
export function ruleOfFinding(
  rules: readonly AlertRule[],
  finding: { model: string; monitor: string; subject: string; segment: string },
): AlertRule | undefined {
  return rules.find(({ enabled, when, models }) => {
    if (!enabled || 'metric' in when) return false;
    if (models.length > 0 && !models.includes(finding.model)) return false;
    if (when.monitor !== undefined && when.monitor !== finding.monitor) return false;
    return fitsPattern(finding.subject, when.subject) && fitsPattern(finding.segment, when.segment);
  });
}
