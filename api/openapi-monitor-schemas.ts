import { DRIFT_CAUSES } from '../core/decisions/find-drift-cause.js';
import { DRIFT_ADVICE } from '../core/decisions/triage-drift.js';
import { FINDING_STATES, MONITOR_NAMES, SEVERITIES } from '../core/monitoring/finding.js';
import { count, nullableNumber, nullableText, nullableTime, share, strict, text, time } from './openapi-types.js';

const days = {
  model: text,
  start_date: { type: 'string', format: 'date' },
  end_date: { type: 'string', format: 'date' },
  interval: { enum: ['day', 'hour'] },
};
const number = { type: 'number' } as const;
const list = (items: object) => ({ type: 'array', items });
const columnShare = strict({ column: text, share });
/** A chance; what is far from it is a small one. */
const driftTest = strict({
  test: { enum: ['kolmogorov_smirnov', 'chi_square', 'missing_rate', 'new_categories', 'domain_classifier'] },
  statistic: number,
  p_value: share,
});
/** A distance; what is far is a large one. */
const driftEffect = strict({
  measure: { enum: ['wasserstein_per_deviation', 'jensen_shannon_distance', 'missing_share'] },
  size: { type: 'number', description: 'What is beyond chance; it is compared with the threshold' },
  raw: number,
  direction: { enum: ['up', 'down', 'none'] },
});

/** The shapes of the answers about monitors. */
export const MONITOR_SCHEMAS = {
  Finding: strict({
    id: text,
    model: text,
    version: nullableText,
    monitor: { enum: [...MONITOR_NAMES] },
    subject: text,
    segment: text,
    window_start: time,
    window_end: time,
    state: { enum: [...FINDING_STATES] },
    severity: { enum: [...SEVERITIES] },
    value: nullableNumber,
    threshold: nullableNumber,
    summary: text,
    evidence: { type: 'object' },
    found_at: time,
  }),
  Monitor: strict({
    model: text,
    settings: { type: 'object' },
    declared_in: { enum: ['default', 'config', 'api'] },
    updated_by: nullableText,
    updated_at: nullableTime,
    next_run: nullableTime,
    last_run: {
      anyOf: [
        { type: 'null' },
        strict({ job_id: text, status: text, started_at: nullableTime, finished_at: nullableTime }),
      ],
    },
    findings: {
      description: 'What the newest window of each monitor shows; null before the first run',
      anyOf: [
        { type: 'null' },
        strict({
          window_end: time,
          states: strict({ ok: count, suspect: count, alarm: count, unknown: count }),
          worst: { type: 'array', items: { $ref: '#/components/schemas/Finding' } },
        }),
      ],
    },
  }),
  DriftAnalytics: strict({
    ...days,
    columns: list(
      strict({
        subject: text,
        segment: text,
        alarms: count,
        series: list(
          strict({
            at: time,
            window_start: time,
            window_end: time,
            version: nullableText,
            state: { enum: [...FINDING_STATES] },
            severity: { enum: [...SEVERITIES] },
            rows: nullableNumber,
            reference_rows: nullableNumber,
            tests: list(driftTest),
            effects: list(driftEffect),
            missing: { anyOf: [{ type: 'null' }, strict({ reference: share, current: share })] },
            cause: { enum: [...DRIFT_CAUSES, null] },
            advice: { enum: [...DRIFT_ADVICE, null] },
            summary: text,
          }),
        ),
      }),
    ),
  }),
  DataQuality: strict({
    ...days,
    data_type: text,
    newest_dataset: {
      anyOf: [
        { type: 'null' },
        strict({
          dataset_id: text,
          created_at: time,
          age_hours: number,
          rows: count,
          quarantined_rows: count,
          missing: list(columnShare),
          findings: list(strict({ severity: text, column: text, message: text, rows: count }, ['column'])),
          report: {
            anyOf: [
              { type: 'null' },
              strict({
                report_id: text,
                passed: { type: 'boolean' },
                failed_checks: list(strict({ name: text, severity: text, message: text })),
              }),
            ],
          },
        }),
      ],
    },
    datasets: list(
      strict({
        at: time,
        datasets: count,
        rows: number,
        quarantined_rows: number,
        reports: count,
        failed_reports: count,
        age_hours: nullableNumber,
      }),
    ),
    requests: list(
      strict({
        at: time,
        rows: nullableNumber,
        violations: list(strict({ column: text, violation: text, rows: count, share })),
        missing: list(columnShare),
        out_of_range: list(strict({ column: text, below: share, above: share })),
      }),
    ),
  }),
};
