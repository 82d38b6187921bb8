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
  state: string;
  severity?: string;
  name?: string;
  model?: string | null;
  summary?: string;
  reason?: string;
  acknowledged_at?: string | null;
  acknowledged_by?: string | null;
  created_at?: string;
  opened_at?: string;
  [key: string]: unknown;
}
