/** One table of every failure that a caller can meet. The code is stable; the status is what HTTP answers with. */
export const ERROR_TABLE = {
  request_malformed: { status: 400, title: 'The request could not be read' },
  unauthenticated: { status: 401, title: 'Nobody is signed in' },
  certificate_refused: { status: 401, title: 'The client certificate is missing or not taken' },
  role_insufficient: { status: 403, title: 'The role of the caller does not allow this' },
  site_forbidden: { status: 403, title: 'Other sites may not call this' },
  resource_not_found: { status: 404, title: 'Not found' },
  run_not_found: { status: 404, title: 'No such run' },
  job_not_found: { status: 404, title: 'No such job' },
  model_not_found: { status: 404, title: 'No such model' },
  version_not_found: { status: 404, title: 'No such version' },
  report_not_found: { status: 404, title: 'No such report' },
  version_not_deployed: { status: 404, title: 'No version deployed' },
  dataset_not_found: { status: 404, title: 'No such dataset' },
  deployment_not_found: { status: 404, title: 'No such deployment' },
  freeze_not_found: { status: 404, title: 'No such freeze' },
  experiment_not_found: { status: 404, title: 'No such experiment' },
  drill_not_found: { status: 404, title: 'No such drill' },
  sweep_not_found: { status: 404, title: 'No such sweep' },
  alert_not_found: { status: 404, title: 'No such alert' },
  alert_rule_not_found: { status: 404, title: 'No such rule' },
  silence_not_found: { status: 404, title: 'No such silence' },
  receiver_not_found: { status: 404, title: 'No such receiver' },
  repair_not_found: { status: 404, title: 'No such repair' },
  token_not_found: { status: 404, title: 'No such token' },
  webhook_not_found: { status: 404, title: 'No such webhook' },
  delivery_not_found: { status: 404, title: 'No such delivery' },
  upload_not_found: { status: 404, title: 'No such upload' },
  watermark_not_found: { status: 404, title: 'No such watermark' },
  alias_not_found: { status: 404, title: 'No such alias' },
  prediction_not_found: { status: 404, title: 'No such prediction' },
  schema_not_found: { status: 404, title: 'No such schema' },
  schedule_not_found: { status: 404, title: 'No such schedule' },
  feature_view_not_found: { status: 404, title: 'No such feature view' },
  erasure_not_found: { status: 404, title: 'No such erasure' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  body_too_slow: { status: 408, title: 'The body comes too slowly' },
  deployment_conflict: { status: 409, title: 'The rollout is not possible now' },
  traffic_frozen: { status: 409, title: 'Traffic is frozen' },
  experiment_conflict: { status: 409, title: 'The experiment is not possible now' },
  drill_conflict: { status: 409, title: 'A drill is under way' },
  sweep_conflict: { status: 409, title: 'The sweep is not in a state that allows this' },
  job_conflict: { status: 409, title: 'The job is not in a state that allows this' },
  version_in_use: { status: 409, title: 'Something relies on the version' },
  version_conflict: { status: 409, title: 'The state of the version does not allow this' },
  quarantine_empty: { status: 409, title: 'There is nothing in quarantine to replay' },
  token_conflict: { status: 409, title: 'The token is not possible now' },
  webhook_limit: { status: 409, title: 'There are as many webhooks as there can be' },
  alert_conflict: { status: 409, title: 'The state of the alert or the rule does not allow this' },
  repair_conflict: { status: 409, title: 'The model cannot be repaired now' },
  encryption_conflict: { status: 409, title: 'The keys of the service do not allow this' },
  feature_view_conflict: { status: 409, title: 'The feature view does not allow this now' },
  feature_view_changed: { status: 409, title: 'A feature view of the version has changed' },
  approval_missing: { status: 409, title: 'The version lacks approvals' },
  body_too_large: { status: 413, title: 'The body is too large' },
  media_type_unsupported: { status: 415, title: 'The media type is not supported' },
  request_invalid: { status: 422, title: 'The request does not fit its schema' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with another body' },
  export_unsupported: { status: 422, title: 'The version has no such form' },
  import_rejected: { status: 422, title: 'The model cannot be imported' },
  source_forbidden: { status: 422, title: 'The source may not be read' },
  source_unchanged: { status: 422, title: 'The source has no new rows' },
  source_unreadable: { status: 422, title: 'The source could not be read' },
  schema_changed: { status: 409, title: 'The columns have changed and nobody has accepted it' },
  dataset_rejected: { status: 422, title: 'The data failed its checks' },
  training_data_insufficient: { status: 422, title: 'There is too little data to train on' },
  log_insufficient: { status: 422, title: 'There is too little log' },
  sweep_failed: { status: 422, title: 'No trial of the search gave a model' },
  training_timeout: { status: 422, title: 'The training took longer than it may' },
  training_out_of_memory: { status: 422, title: 'The training needed more memory than it may use' },
  overloaded: { status: 429, title: 'There are more requests than can be answered in time' },
  rate_limited: { status: 429, title: 'The caller sends more requests than it may' },
  artifact_corrupt: { status: 500, title: 'A stored file is damaged' },
  model_too_large: { status: 500, title: 'A model does not fit into memory' },
  deployment_check_failed: { status: 500, title: 'The new version failed its checks' },
  drill_failed: { status: 500, title: 'The drill found that a rollout is not safe' },
  dependency_unavailable: { status: 503, title: 'A dependency is away' },
  deadline_exceeded: { status: 504, title: 'The answer would come after the deadline' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Where in the input a problem lies, as a dotted path such as `features.tenure`, and what to do about it. */
export interface FieldProblem {
  path: string;
  message: string;
}

/** A failure that a caller may be told about in full. Anything else is an `internal_error` without detail. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly problems: readonly FieldProblem[] = [],
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
  get status(): number {
    return ERROR_TABLE[this.code].status;
  }
}

/** Failures of ours that trying again does not mend: a damaged file, a version that answers wrongly. */
const LASTING: readonly ErrorCode[] = [
  'artifact_corrupt',
  'model_too_large',
  'deployment_check_failed',
  'drill_failed',
];

/** A bad request stays bad however often it is tried: workflows must not retry these. */
export function isPermanent(code: ErrorCode): boolean {
  const { status } = ERROR_TABLE[code];
  return (status < 500 && status !== 429) || LASTING.includes(code);
}
