/** Tables whose rows go, or are emptied, where they are of a person; see `eraseFromTables`. */
export const ROWS_ERASED: readonly string[] = [
  'predictions',
  'prediction_outcomes',
  'feature_values',
  'events',
  'performance_rollups',
  'monitor_findings',
  'jobs',
  'feature_materializations',
];

/** Tables in which nobody looks for a person, and why. All others with a column that can hold a text are searched. */
export const NOT_SEARCHED: Readonly<Record<string, string>> = {
  erasures: 'The person stands there while the erasure is under way, and is taken out at its end.',
  audit_log:
    'Each row has the hash of the one before, so that none can be changed. It names who called and what was called, never an entity.',
  audit_inbox: 'It holds entries of the audit log until the end of their transaction.',
  audit_head: 'It holds the number and the hash of the last row of the audit log.',
};

const BY_PEOPLE = 'People wrote it, and the database lets nobody change it: what is found is told.';
const SET_UP = 'Somebody has set it up and can change it: what is found is told.';
const IDS = 'It holds ids, names of models and numbers.';

/** Tables that are searched and from which nothing is erased, and why. With the other lists these are all tables. */
export const NAMES_NOBODY: Readonly<Record<string, string>> = {
  datasets: 'Their manifests are written again with their files.',
  data_schemas: 'It holds names and types of columns.',
  source_credentials: SET_UP,
  source_watermarks: 'It holds keys of rows as hashes, and a time or a number.',
  source_pulls: 'It goes when its job ends.',
  uploads: IDS,
  idempotency_keys: 'Callers choose the keys: what is found is told.',
  model_versions: 'What a model has learnt cannot be taken out of it: the report says which ones to train again.',
  version_events: BY_PEOPLE,
  version_notes: BY_PEOPLE,
  version_approvals: BY_PEOPLE,
  deployment_commands: BY_PEOPLE,
  traffic_ledger: BY_PEOPLE,
  traffic_freezes: SET_UP,
  model_aliases: SET_UP,
  webhooks: SET_UP,
  webhook_secrets: SET_UP,
  feature_views: SET_UP,
  monitors: SET_UP,
  alert_rules: SET_UP,
  service_tokens: SET_UP,
  routes: IDS,
  run_metrics: IDS,
  run_costs: IDS,
  sweep_trials: IDS,
  mlflow_mirrors: IDS,
  webhook_attempts: IDS,
  alert_attempts: IDS,
  alert_cursors: IDS,
  rollup_cursors: IDS,
  rollup_corrections: IDS,
  dataset_holds: IDS,
};
