import { JOB_STATUSES, JOB_TYPES } from '../core/names.js';
import { VERSION_STATES } from '../core/policy/lifecycle.js';
import { STRATEGIES } from '../core/schemas/deployment.js';
import { REPORT_PLOTS } from '../services/reports/report-document.js';
import {
  anything,
  count,
  nullableNumber,
  nullableText,
  nullableTime,
  share,
  strict,
  text,
  texts,
  time,
} from './openapi-types.js';
import { VERSION_SCHEMAS } from './openapi-version-schemas.js';

// A name of its own: generators make one from the schema and the field, which would be JobStatus for two of them.
const jobState = { $ref: '#/components/schemas/JobState' };
const jobStatus = {
  job_id: text,
  type: { enum: JOB_TYPES },
  status: jobState,
  progress: share,
  stage: text,
  created_at: time,
  started_at: nullableTime,
  finished_at: nullableTime,
  eta_seconds: { type: ['number', 'null'] },
};
export const accepted = { job_id: text, status: jobState, status_url: text };
const dataset = {
  dataset_id: text,
  data_type: text,
  rows: count,
  quarantined_rows: count,
  digest: text,
  source: text,
  job_id: text,
  created_at: time,
};
const contribution = strict({
  feature: text,
  value: { type: ['string', 'number', 'boolean', 'null'] },
  contribution: { type: 'number' },
});
const fieldProblem = strict({ path: text, message: text });

const tensorMetadata = strict({ name: text, datatype: text, shape: { type: 'array', items: { type: 'integer' } } });

const percent = { type: 'number', minimum: 0, maximum: 100 } as const;
const split = {
  version: nullableText,
  candidate_version: nullableText,
  phase: { enum: ['shadow', 'canary', null] },
  share: percent,
};
const experiment = {
  experiment_id: text,
  model: text,
  state: { enum: ['pending', 'running', 'concluded', 'stopped', 'failed'] },
  arms: {
    type: 'array',
    items: strict({ arm: text, version: text, weight: { type: 'number' }, retired: { type: 'boolean' } }, ['weight']),
  },
  control: text,
  layer: text,
  slice: strict({ first_bucket: count, end_bucket: count, buckets: count }),
  allocation: {
    anyOf: [
      strict({
        batches: count,
        floor: share,
        context: { type: 'array', items: { type: 'object' } },
        opened: {
          type: 'array',
          items: strict({
            window: count,
            at: time,
            chances: { type: 'object', additionalProperties: { type: 'array', items: share } },
          }),
        },
      }),
      { type: 'null' },
    ],
  },
  settings: { type: 'object' },
  plan: { type: 'object' },
  verdict: { type: ['object', 'null'] },
  reason: nullableText,
  job_id: text,
  created_at: time,
  finished_at: nullableTime,
};
const deployment = {
  deployment_id: text,
  model: text,
  version: text,
  previous_version: nullableText,
  strategy: { enum: [...STRATEGIES, 'rollback'] },
  settings: { type: 'object' },
  state: { enum: ['pending', 'running', 'holding', 'paused', 'promoted', 'rolled_back', 'aborted', 'failed'] },
  steps: { type: 'array', items: { type: 'object' } },
  reason: nullableText,
  job_id: text,
  created_at: time,
  finished_at: nullableTime,
};

/** The shapes of the answers. */
export const ANSWER_SCHEMAS = {
  ...VERSION_SCHEMAS,
  Problem: strict(
    {
      type: text,
      title: text,
      status: { type: 'integer' },
      detail: text,
      instance: text,
      correlation_id: text,
      errors: { type: 'array', items: fieldProblem },
    },
    ['errors'],
  ),
  Prediction: strict(
    {
      prediction_id: text,
      model: text,
      model_version: text,
      predictions: { type: 'object', additionalProperties: anything },
      confidence_scores: { type: 'object', additionalProperties: share },
      cached: { type: 'boolean' },
      arm: text,
      deployment_id: text,
      experiment_id: text,
      propensity: share,
      features_from_store: texts,
      warnings: { type: 'array', items: fieldProblem },
      explanations: { type: 'object', additionalProperties: { type: 'array', items: contribution } },
      explanation_base_values: { type: 'object', additionalProperties: { type: 'number' } },
    },
    [
      'arm',
      'deployment_id',
      'experiment_id',
      'propensity',
      'features_from_store',
      'warnings',
      'explanations',
      'explanation_base_values',
    ],
  ),
  InstanceError: strict({
    error: strict({ code: text, detail: text, errors: { type: 'array', items: fieldProblem } }),
  }),
  Outcome: strict({
    prediction_id: text,
    observed_at: time,
    outcome: { type: 'object', additionalProperties: anything },
    metrics: { type: 'object', additionalProperties: { type: 'number' } },
    state: { enum: ['stored', 'waiting'] },
  }),
  JobAccepted: strict({ ...accepted, dataset_id: text, warnings: { type: 'array', items: fieldProblem } }, [
    'dataset_id',
    'warnings',
  ]),
  DeploymentAccepted: strict({ ...accepted, deployment_id: text }),
  JobState: { type: 'string', enum: JOB_STATUSES },
  JobStatus: strict(jobStatus),
  Job: strict({
    ...jobStatus,
    model: nullableText,
    request: anything,
    result: anything,
    error: { type: ['object', 'null'] },
    correlation_id: text,
  }),
  Model: strict(
    {
      model: text,
      kind: text,
      description: nullableText,
      algorithm: text,
      source: text,
      target: nullableText,
      latest_version: nullableText,
      serving: strict({ version: nullableText, loaded_version: nullableText }),
      as_of: time,
      traffic: { anyOf: [{ $ref: '#/components/schemas/TrafficEntry' }, { type: 'null' }] },
    },
    ['as_of', 'traffic'],
  ),
  Metric: strict({
    value: { type: ['number', 'null'] },
    lower: { type: ['number', 'null'] },
    upper: { type: ['number', 'null'] },
    rows: count,
  }),
  Version: strict({
    model: text,
    version: text,
    kind: text,
    digest: text,
    aliases: texts,
    state: { enum: VERSION_STATES },
    tags: { type: 'object', additionalProperties: text },
    promotable: { type: 'boolean' },
    verdict: { type: 'object' },
    parameters: { type: 'object' },
    metrics: {
      type: 'object',
      additionalProperties: { type: 'object', additionalProperties: { $ref: '#/components/schemas/Metric' } },
    },
    cross_validation: { type: ['object', 'null'] },
    details: { type: 'object' },
    optimization: { $ref: '#/components/schemas/Optimization' },
    signature: { type: 'object' },
    lineage: { type: 'object' },
    job_id: text,
    created_at: time,
  }),
  Report: strict({
    format_version: { enum: [1] },
    title: text,
    model: text,
    version: text,
    summary: texts,
    facts: { type: 'array', items: { type: 'array', items: text, minItems: 2, maxItems: 2 } },
    warnings: texts,
    sections: {
      type: 'array',
      items: strict({
        title: text,
        text,
        plots: {
          type: 'array',
          items: { ...strict({ kind: { enum: REPORT_PLOTS }, title: text }), additionalProperties: anything },
        },
        tables: {
          type: 'array',
          items: strict(
            {
              title: text,
              columns: texts,
              rows: { type: 'array', items: { type: 'array', items: anything } },
              note: text,
            },
            ['note'],
          ),
        },
      }),
    },
  }),
  Deployment: strict(deployment),
  DeploymentDetail: strict({
    ...deployment,
    traffic: { anyOf: [strict(split), { type: 'null' }] },
    latest_evidence: { anyOf: [{ $ref: '#/components/schemas/EvidenceWindow' }, { type: 'null' }] },
    commands: {
      type: 'array',
      items: strict({
        action: text,
        by: text,
        note: nullableText,
        detail: { anyOf: [{ type: 'object' }, { type: 'null' }] },
        refused: nullableText,
        at: time,
      }),
    },
  }),
  Freeze: strict({
    name: text,
    model: nullableText,
    reason: text,
    window: { type: 'object' },
    frozen_until: { anyOf: [time, { type: 'null' }] },
    created_by: text,
    created_at: time,
  }),
  EvidenceWindow: strict(
    {
      window: count,
      at: time,
      verdict: { enum: ['PROMOTE', 'ROLLBACK', 'HOLD', 'ASK'] },
      reason: text,
      findings: { type: 'array', items: { type: 'object' } },
      needed: { type: 'object' },
      evidence: { type: 'object' },
      rule: { type: 'object' },
      reproduced: { type: 'boolean' },
    },
    ['needed'],
  ),
  Rollback: strict({
    deployment_id: text,
    model: text,
    version: text,
    rolled_back_version: text,
    ended_deployment_id: nullableText,
    ended_experiment_ids: texts,
    job_id: text,
    served: { type: 'boolean' },
  }),
  TrafficEntry: strict({
    ...split,
    deployment_id: nullableText,
    experiments: {
      type: 'array',
      items: strict({
        experiment_id: text,
        traffic: percent,
        arms: {
          type: 'array',
          items: strict({ arm: text, version: text, weight: share, retired: { type: 'boolean' } }),
        },
      }),
    },
    since: time,
  }),
  ExperimentAccepted: strict({ ...accepted, experiment_id: text }),
  ExperimentPlan: strict({
    entities_per_day: { type: 'number' },
    baseline: nullableNumber,
    deviation: nullableNumber,
    minimum_effect: { type: 'number' },
    entities_needed: nullableNumber,
    days_needed: nullableNumber,
    smallest_detectable: nullableNumber,
    power: share,
  }),
  Experiment: strict(experiment),
  ExperimentDetail: strict({
    ...experiment,
    latest_evidence: { anyOf: [{ $ref: '#/components/schemas/ExperimentWindow' }, { type: 'null' }] },
  }),
  ExperimentWindow: strict(
    {
      window: count,
      at: time,
      decision: { enum: ['running', 'winner', 'harmful', 'futile', 'inconclusive'] },
      winner: text,
      reason: text,
      arms: { type: 'array', items: { type: 'object' } },
      evidence: { type: 'object' },
      rule: { type: 'object' },
      reproduced: { type: 'boolean' },
    },
    ['winner'],
  ),
  DatasetSummary: strict(dataset),
  Dataset: strict({
    ...dataset,
    bytes: count,
    columns: { type: 'array', items: { type: 'object' } },
    quality: { type: 'array', items: { type: 'object' } },
    lineage: { type: ['object', 'null'] },
  }),
  Row: { type: 'object', additionalProperties: anything },
  QuarantinedRow: strict({ row_number: count, reasons: { type: 'array', items: text }, content: text }),
  InferenceServer: strict({ name: text, version: text, extensions: texts }),
  InferenceLive: strict({ live: { type: 'boolean' } }),
  InferenceServerReady: strict({ ready: { type: 'boolean' } }),
  InferenceReady: strict({ name: text, ready: { type: 'boolean' } }),
  InferenceError: strict({ error: text }),
  InferenceMetadata: strict({
    name: text,
    versions: texts,
    platform: text,
    inputs: { type: 'array', items: tensorMetadata },
    outputs: { type: 'array', items: tensorMetadata },
  }),
  InferenceAnswer: strict(
    {
      model_name: text,
      model_version: text,
      id: text,
      outputs: {
        type: 'array',
        items: strict(
          { ...tensorMetadata.properties, parameters: { type: 'object' }, data: { type: 'array', items: anything } },
          ['parameters', 'data'],
        ),
      },
    },
    ['id'],
  ),
};
