import type { Expectation } from '../../core/schemas/expectation.js';

/** What became of one expectation. */
export interface CheckResult {
  name: string;
  expectation: Expectation;
  severity: 'error' | 'warning';
  /** `skipped` where there is nothing to compare with yet. */
  status: 'passed' | 'failed' | 'skipped';
  /** What was found, in a sentence. */
  message: string;
  /** Of the checks that look at each row. */
  rows_checked?: number;
  rows_failed?: number;
  share?: number;
  /** Up to five values that fail. */
  examples?: string[];
  /** The figures behind the message. */
  observed?: Record<string, number | string | boolean | null>;
}

/** What a dataset was held to, and how it did. Made of the data alone, so the same question has the same answer. */
export interface ValidationReport {
  format_version: 1;
  report_id: string;
  dataset_id: string;
  data_type: string;
  /** The expectations are those of the data type, not of a request. */
  declared: boolean;
  /** No check of the severity error failed. */
  passed: boolean;
  rows: number;
  /** Rows that fail a check, and those of them that are kept with the report. */
  failing_rows: number;
  kept_rows: number;
  errors: number;
  warnings: number;
  checks: CheckResult[];
  /** Where there was nothing to hold the dataset to. */
  note?: string;
}

/** The name that a check has without one of its own. */
export function checkName(expectation: Expectation): string {
  if (expectation.name !== undefined) return expectation.name;
  const columns = 'columns' in expectation ? expectation.columns : 'column' in expectation ? [expectation.column] : [];
  return [expectation.check, ...columns].join(' ');
}
