import type { ReportCell, ReportDocument, ReportSection } from '../reports/report-document.js';
import { formatShare } from '../reports/format-value.js';
import type { StoredReport } from './report-store.js';
import type { CheckResult } from './validation-report.js';

/** A validation report as a page: what fails first, then everything. */
export function describeReport(report: StoredReport, failing: readonly Record<string, unknown>[]): ReportDocument {
  const { checks } = report;
  const failed = checks.filter(({ status }) => status === 'failed');
  const skipped = checks.filter(({ status }) => status === 'skipped').length;
  return {
    format_version: 1,
    title: `Is ${report.dataset_id} as expected?`,
    model: `${report.data_type}, ${report.dataset_id}`,
    summary: [
      ...(report.note ? [report.note] : []),
      report.passed ? 'It passes: no check of the severity error failed.' : 'It does not pass.',
      `${checks.length - failed.length - skipped} of ${checks.length} checks hold, ${report.errors} fail as errors and ${report.warnings} as warnings; ${skipped} had nothing to compare with yet.`,
      `${report.failing_rows} of ${report.rows} rows fail a check.`,
    ],
    facts: [
      ['data type', report.data_type],
      ['dataset', report.dataset_id],
      ['report', report.report_id],
      ['made', report.created_at],
    ],
    warnings: failed.map(({ name, message, severity }) => `${severity}: ${name}: ${message}`),
    sections: [
      ...(failed.length > 0 ? [checksSection('What fails', failed)] : []),
      checksSection('All checks', checks),
      ...(failing.length > 0 ? [rowsSection(report, failing)] : []),
    ],
  };
}

function checksSection(title: string, checks: readonly CheckResult[]): ReportSection {
  return {
    title,
    text: '',
    plots: [],
    tables: [
      {
        title,
        columns: ['check', 'status', 'severity', 'what was found', 'rows that hold', 'values that fail'],
        rows: checks.map((one): ReportCell[] => [
          one.name,
          one.status,
          one.severity,
          one.message,
          one.share === undefined ? '' : formatShare(one.share),
          one.examples?.join(' · ') ?? '',
        ]),
      },
    ],
  };
}

function rowsSection(report: StoredReport, failing: readonly Record<string, unknown>[]): ReportSection {
  return {
    title: 'Rows that fail',
    text: `The first ${failing.length} of ${report.failing_rows}, as they are stored.`,
    plots: [],
    tables: [
      {
        title: 'Rows that fail',
        columns: ['row', 'reasons', 'content'],
        rows: failing.map((row): ReportCell[] => [
          Number(row['row_number']),
          (row['reasons'] as string[]).join('; '),
          String(row['content']).slice(0, 500),
        ]),
      },
    ],
  };
}
