/** Who watches: distributions, metrics and estimates, the data itself, or the stream of requests. */
export const MONITOR_NAMES = ['drift', 'performance', 'data_quality', 'stream'] as const;
export type MonitorName = (typeof MONITOR_NAMES)[number];

/**
 * `ok`: watched, and nothing is shown. `suspect`: seen once, and not enough to call anyone. `alarm`: someone must look. `unknown`: could not be told,
 * which is not `ok` and the summary says why.
 */
export const FINDING_STATES = ['ok', 'suspect', 'alarm', 'unknown'] as const;
export type FindingState = (typeof FINDING_STATES)[number];

export const SEVERITIES = ['none', 'low', 'medium', 'high'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const isAtLeast = (severity: Severity, least: Severity): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);

/** What a monitor found of one thing that it watches, in one window. */
export interface Finding {
  model: string;
  /** The version that answered in the window; absent where several did. */
  version?: string;
  monitor: MonitorName;
  /** `input:{column}`, `prediction:{head}`, `label:{target}`, `inputs` (all together), `metric:{head}.{metric}`, `estimate:{head}.{metric}`, `stream:{signal}` … */
  subject: string;
  /** `{column}={value}`; empty for all rows. */
  segment: string;
  window: { start: Date; end: Date };
  state: FindingState;
  severity: Severity;
  /** The effect or the metric, in the unit that `summary` names. */
  value?: number;
  /** From where on it would be an alarm. */
  threshold?: number;
  /** One sentence for a person: what, how much, since when. */
  summary: string;
  /** The numbers and the rule behind it, its likely cause and the advice. */
  evidence: Record<string, unknown>;
}
