import type { components } from './client.js';

/** What the OpenAPI document leaves open, as far as the console shows it. Anything may be absent: it is shown as it comes. */
export interface Head {
  name: string;
  task: 'binary' | 'multiclass' | 'regression' | 'forecast' | 'ranking' | (string & {});
  classes?: unknown[];
}
export interface Feature {
  name: string;
  type: 'number' | 'string' | 'boolean' | (string & {});
}
export interface Signature {
  heads?: Head[];
  features?: Feature[];
}

export interface Finding {
  measure: string;
  finding: 'harmful' | 'safe' | 'undecided';
  estimate: number | null;
  lower: number | null;
  upper: number | null;
  margin: number | null;
  allowed?: number;
  reason: string;
}

export interface RolloutStep {
  at?: string;
  step: string;
  detail?: Record<string, unknown>;
}

export interface DatasetColumn {
  name: string;
  type: string;
  null_share: number;
  distinct?: number;
  minimum?: unknown;
  maximum?: unknown;
  mean?: number | null;
  standard_deviation?: number | null;
  quartiles?: unknown[];
}

export interface DependencyHealth {
  status: 'up' | 'down';
  latency_ms: number;
  affects: string;
  error?: string;
}

export type Version = components['schemas']['Version'];
export type Metric = components['schemas']['Metric'];
export type Job = components['schemas']['Job'];
export type Prediction = components['schemas']['Prediction'];

export const signatureOf = (version: Version): Signature => version.signature as Signature;

export interface ListOf<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Alert {
  alert_id: string;
  rule: string;
  model: string | null;
  severity: 'low' | 'medium' | 'high';
  status: 'open' | 'acknowledged' | 'resolved';
  summary: string;
  value: number | null;
  threshold: number | null;
  opened_at: string;
}

export interface Estimate {
  value: number | null;
  lower: number | null;
  upper: number | null;
  rows: number;
}
/** What turned out to be true, what was expected before, and what the version had on the rows held out. */
export interface MetricSummary {
  realised: Estimate | null;
  estimated: Estimate | null;
  baseline: Estimate | null;
}
export interface PerformanceEntry {
  version: string;
  arm: string | null;
  segment: string;
  requests: number;
  labelled: number;
  label_coverage: number | null;
  heads: Record<string, Record<string, MetricSummary>>;
}
export interface ModelPerformance {
  versions: PerformanceEntry[];
  series: (PerformanceEntry & { start: string; is_mature: boolean })[];
  note: string | null;
}

export interface AuditEntry {
  [field: string]: unknown;
}
