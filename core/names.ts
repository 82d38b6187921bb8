/** The vocabulary that crosses process borders: task queues, search attributes, kinds, job types and states. */

/** Temporal task queues. `pipeline` runs workflows and light I/O, `training` runs the CPU-bound fits. */
export const TASK_QUEUES = { pipeline: 'pipeline', training: 'training' } as const;

/** Search attributes that are registered at start and set on each workflow. Never secret: Temporal keeps them in the clear. */
export const SEARCH_ATTRIBUTES = { model: 'Model', jobType: 'JobType', datasetId: 'DatasetId' } as const;

/** The recipes that a model can follow; a model named like a kind has that kind. */
export const MODEL_KINDS = [
  'user_behavior',
  'project_success',
  'resource_usage',
  'anomaly_detection',
  'recommendation',
  'classification',
  'regression',
] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

export const JOB_TYPES = [
  'ingest',
  'preprocess',
  'replay',
  'train',
  'deploy',
  'experiment',
  'drill',
  'materialize',
  'retain',
  'erase',
  'reencrypt',
  'monitor',
  'repair',
] as const;
export type JobType = (typeof JOB_TYPES)[number];

export const JOB_STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Levels of lines of the log, from the least. */
export const LINE_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LineLevel = (typeof LINE_LEVELS)[number];

/** The name as it stands in the database and in code: `user-behavior` and `user_behavior` are one model. */
export function canonicalModelName(name: string): string {
  return name.replaceAll('-', '_');
}

/** Names of models, data types, aliases and views: lower case, starts with a letter, at most 63 characters. */
export const NAME_PATTERN = /^[a-z][a-z0-9_]{0,62}$/;
/** `vMAJOR.MINOR.PATCH`. */
export const VERSION_PATTERN = /^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/;

/** The model that drills try bad versions on. It is the service's own: no entry of the models file may have its name. */
export const SANDBOX_MODEL = 'rollout_drill';
