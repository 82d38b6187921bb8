import { daysOfQuery, type AnalyticsQuery } from '../../core/schemas/analytics.js';
import type { Database } from '../database/database.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { LAST_MOMENT } from '../drift/drift-analytics.js';
import type { SchemaViolation } from '../drift/judge-schema.js';
import type { ModelDefinition } from '../training/models-config.js';
import type { ValidationReport } from '../validation/validation-report.js';

interface DatasetPoint {
  at: Date;
  datasets: number;
  rows: number;
  quarantined_rows: number;
  reports: number;
  failed_reports: number;
  /** Of the newest snapshot when the entry ends, or now. */
  age_hours: number | null;
}

interface RequestPoint {
  at: Date;
  rows: number;
  violations: SchemaViolation[];
  missing: { column: string; share: number }[];
  out_of_range: { column: string; below: number; above: number }[];
}

/** The data of a model, as it was ingested and as it was sent for predictions, by day or hour. */
export async function readQualityAnalytics(
  database: Database,
  definition: ModelDefinition,
  query: AnalyticsQuery,
  nowMs: number,
) {
  const days = daysOfQuery(query, nowMs);
  const { start_date, end_date, from, to } = days;
  const upTo = new Date(Math.min(Number(to), nowMs));
  const step = `1 ${query.interval}`;
  const [datasets, requests, newest] = await Promise.all([
    readDatasets(database, [definition.source, from, upTo, step, query.interval]),
    readRequests(database, [definition.name, from, to, query.interval, query.version ?? null]),
    readNewest(database, definition.source, upTo),
  ]);
  return {
    model: definition.name,
    data_type: definition.source,
    start_date,
    end_date,
    interval: query.interval,
    newest_dataset: newest,
    datasets: datasets.map(({ at, ...point }) => ({ at: at.toISOString(), ...point })),
    requests: requests.map(({ at, ...point }) => ({ at: at.toISOString(), ...point })),
  };
}

/** Each day or hour up to now has its entry, since an age is of interest above all where nothing came. */
async function readDatasets({ pool }: Database, values: [string, Date, Date, string, string]): Promise<DatasetPoint[]> {
  const { rows } = await pool.query<DatasetPoint>(
    `WITH entries AS (SELECT at, least(at + $4::interval, $3::timestamptz) AS ends FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 millisecond', $4::interval) AS at),
     sets AS (SELECT date_trunc($5, created_at, 'UTC') AS at, count(*)::int AS datasets, sum(rows)::float8 AS rows, sum(quarantined_rows)::float8 AS quarantined
       FROM datasets WHERE data_type = $1 AND created_at >= $2 AND created_at < $3 GROUP BY 1),
     reports AS (SELECT date_trunc($5, created_at, 'UTC') AS at, count(*)::int AS reports, count(*) FILTER (WHERE NOT passed)::int AS failed
       FROM validation_reports WHERE data_type = $1 AND created_at >= $2 AND created_at < $3 GROUP BY 1)
     SELECT e.at, coalesce(s.datasets, 0) AS datasets, coalesce(s.rows, 0) AS rows, coalesce(s.quarantined, 0) AS quarantined_rows,
       coalesce(r.reports, 0) AS reports, coalesce(r.failed, 0) AS failed_reports,
       (SELECT round(extract(epoch FROM e.ends - max(d.created_at)) / 3600.0, 2)::float8 FROM datasets d WHERE d.data_type = $1 AND d.created_at < e.ends) AS age_hours
     FROM entries e LEFT JOIN sets s USING (at) LEFT JOIN reports r USING (at) ORDER BY e.at`,
    values,
  );
  return rows;
}

/** What the monitors have found of the rows that were sent for predictions; of several windows in an entry the latest. */
async function readRequests(
  { pool }: Database,
  values: [string, Date, Date, string, string | null],
): Promise<RequestPoint[]> {
  const { rows } = await pool.query<RequestPoint>(
    `WITH found AS (SELECT DISTINCT ON (subject, at) subject, date_trunc($4, ${LAST_MOMENT}, 'UTC') AS at, evidence
       FROM monitor_findings WHERE model = $1 AND segment = '' AND window_end > $2 AND window_end <= $3 AND ($5::text IS NULL OR version = $5)
         AND (monitor = 'data_quality' AND subject = 'schema' OR monitor = 'drift' AND starts_with(subject, 'input:') AND evidence ? 'missing')
       ORDER BY subject, at, window_end DESC)
     SELECT at, max((evidence->>'rows')::float8) AS rows,
       coalesce((array_agg(evidence->'violations') FILTER (WHERE subject = 'schema'))[1], '[]'::jsonb) AS violations,
       coalesce(jsonb_agg(jsonb_build_object('column', substr(subject, 7), 'share', evidence->'missing'->'current') ORDER BY subject)
         FILTER (WHERE (evidence#>>'{missing,current}')::float8 > 0), '[]'::jsonb) AS missing,
       coalesce(jsonb_agg(jsonb_build_object('column', substr(subject, 7)) || (evidence->'out_of_range') ORDER BY subject)
         FILTER (WHERE (evidence#>>'{out_of_range,below}')::float8 + (evidence#>>'{out_of_range,above}')::float8 > 0), '[]'::jsonb) AS out_of_range
     FROM found GROUP BY at ORDER BY at`,
    values,
  );
  return rows;
}

/** The snapshot that training would take at a time. */
async function readNewest({ prisma }: Database, dataType: string, before: Date) {
  const row = await prisma.dataset.findFirst({
    where: { dataType, createdAt: { lt: before } },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  });
  if (!row) return null;
  const manifest = row.manifest as unknown as DatasetManifest;
  const report = await prisma.validationReport.findFirst({
    where: { datasetId: row.id },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
  });
  const checks = (report?.report as unknown as ValidationReport | undefined)?.checks ?? [];
  return {
    dataset_id: row.id,
    created_at: row.createdAt.toISOString(),
    age_hours: Math.round((Number(before) - Number(row.createdAt)) / 36_000) / 100,
    rows: row.rows,
    quarantined_rows: row.quarantinedRows,
    missing: manifest.columns
      .filter((column) => column.null_share > 0)
      .map((column) => ({ column: column.name, share: column.null_share })),
    findings: manifest.quality,
    report: report && {
      report_id: report.id,
      passed: report.passed,
      failed_checks: checks
        .filter(({ status }) => status === 'failed')
        .map(({ name, severity, message }) => ({ name, severity, message })),
    },
  };
}
