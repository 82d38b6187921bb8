import { count, nullableText, nullableTime, strict, text, time } from './openapi-types.js';

const objects = { type: 'array', items: { type: 'object' } };

const validation = {
  format_version: count,
  report_id: text,
  dataset_id: text,
  data_type: text,
  declared: { type: 'boolean' },
  passed: { type: 'boolean' },
  rows: count,
  failing_rows: count,
  kept_rows: count,
  errors: count,
  warnings: count,
  created_at: time,
};

/** The shapes of the answers about preprocessing and validation. */
export const DATA_QUALITY_SCHEMAS = {
  Preprocessor: strict({
    format_version: count,
    encoder: { type: 'object' },
    passed: objects,
    complete: { type: 'array', items: text },
    bounds: objects,
    folds: { type: 'object' },
    fitted_rows: count,
  }),
  DataSchema: strict({
    data_type: text,
    version: count,
    columns: objects,
    changes: objects,
    dataset_id: text,
    job_id: text,
    created_at: time,
    accepted_at: nullableTime,
    accepted_by: nullableText,
    current: { type: 'boolean' },
  }),
  ValidationSummary: strict(validation),
  ValidationReport: strict(
    {
      ...validation,
      checks: { type: 'array', items: { $ref: '#/components/schemas/ValidationCheck' } },
      note: text,
    },
    ['note'],
  ),
  ValidationCheck: strict(
    {
      name: text,
      expectation: { type: 'object' },
      severity: { enum: ['error', 'warning'] },
      status: { enum: ['passed', 'failed', 'skipped'] },
      message: text,
      rows_checked: count,
      rows_failed: count,
      share: { type: 'number', minimum: 0, maximum: 1 },
      examples: { type: 'array', items: text },
      observed: { type: 'object' },
    },
    ['rows_checked', 'rows_failed', 'share', 'examples', 'observed'],
  ),
};
