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

/** The evidence of a finding about drift; of other findings only some of it is there. */
export interface DriftEvidence {
  rows?: number;
  reference_rows?: number;
  reference?: { kind?: string };
  season?: string;
  tests?: { test: string; statistic: number; p_value: number }[];
  effects?: { measure: string; size: number; raw: number; direction: string }[];
  missing?: { reference: number; current: number };
  summary?: Record<'reference' | 'current', { mean: number; deviation: number; median: number }>;
  out_of_range?: { below: number; above: number };
  distribution?: { edges: number[]; reference: number[]; current: number[] };
  moved_categories?: { value: string; reference: number; current: number }[];
  columns?: { name: string; share: number }[];
  violations?: { column: string; violation: string; rows: number; share: number }[];
  triage?: {
    cause?: string;
    advice?: string;
    estimated_effects?: { metric: string; head: string; reference: number; current: number }[];
  };
}
