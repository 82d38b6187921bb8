import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { chooseReference, type DriftReference, type Period } from '../../core/monitoring/choose-reference.js';
import type { Finding } from '../../core/monitoring/finding.js';
import type { Config } from '../config.js';
import type { Database } from '../database/database.js';
import { exportLoggedDays, loggedDaysFolder, viewLog, type LogContext } from '../datasets/logged-days.js';
import { withDuckDb } from '../duckdb.js';
import { readFindings, writeFindings } from '../monitors/monitor-findings.js';
import { monitoringFolder, type MonitoringPlan } from '../monitors/plan-monitoring.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { ModelsConfig } from '../training/models-config.js';
import { judgeSchema } from './judge-schema.js';
import { judgeTogether, periodTogether } from './judge-together.js';
import { judgeWindow } from './judge-window.js';
import { layOutCells, type SideRows } from './lay-out-cells.js';
import { findDriftSubject, type DriftSubject } from './drift-subject.js';
import { logRows, TRAINING_ROWS } from './side-rows.js';
import { loadTrainingRows } from './training-rows.js';
import { watchedColumns } from './watched-columns.js';

export interface DriftContext {
  config: Pick<Config, 'databaseUrl' | 'modelStoragePath'>;
  database: Database;
  folders: { datasets: string };
  readModelsConfig: () => Promise<ModelsConfig>;
  failPoint: FailPoint;
  signal: AbortSignal;
  /** Tells this attempt's files from those of any other. */
  attempt: string;
}

export interface DriftSummary {
  version: string | null;
  rows: number;
  reference: DriftReference['kind'];
  findings: Record<Finding['state'], number>;
}

const HOUR_MS = 3_600_000;
/** Findings of so many windows back are looked at for what was reported before. */
const LOOK_BACK_WINDOWS = 8;

/**
 * Judges the distributions of a window of the log, and keeps what it finds. Repeatable: the same window gives the same findings under the same
 * ids.
 * @throws ServiceError `artifact_corrupt`, `model_not_found`
 */
export async function measureDrift(
  plan: MonitoringPlan,
  context: DriftContext,
  onProgress: (share: number) => void,
): Promise<DriftSummary> {
  const end = new Date(plan.windowEnd);
  const window = { start: new Date(Number(end) - plan.settings.drift.window_hours * HOUR_MS), end };
  const { database, config } = context;
  const subject = await findDriftSubject(plan, window, { database, modelStoragePath: config.modelStoragePath });
  const workFolder = join(monitoringFolder(context.folders.datasets, plan.jobId), context.attempt);
  try {
    const found = subject
      ? await judgeSubject(subject, { plan, window, workFolder, context, onProgress })
      : noVersion(plan.model, window);
    await writeFindings(database, found.findings);
    context.failPoint('monitor:after-findings');
    return summarise(found, subject?.version ?? null);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
}

interface Found {
  findings: Finding[];
  rows: number;
  reference: DriftReference['kind'];
}

function summarise({ findings, rows, reference }: Found, version: string | null): DriftSummary {
  const counts = { ok: 0, suspect: 0, alarm: 0, unknown: 0 };
  for (const { state } of findings) counts[state]++;
  return { version, rows, reference, findings: counts };
}

/** Nothing can be said of the window, and that is told: it is not the same as nothing found. */
const unknown = (model: string, window: Period, summary: string, version?: string): Finding => ({
  model,
  ...(version === undefined ? {} : { version }),
  monitor: 'drift',
  subject: 'inputs',
  segment: '',
  window,
  state: 'unknown',
  severity: 'none',
  summary,
  evidence: { reason: summary },
});

const noVersion = (model: string, window: Period): Found => ({
  findings: [unknown(model, window, `No version of ${model} was deployed in the window.`)],
  rows: 0,
  reference: 'none',
});

interface Judgement {
  plan: MonitoringPlan;
  window: Period;
  workFolder: string;
  context: DriftContext;
  onProgress: (share: number) => void;
}

async function judgeSubject(subject: DriftSubject, judgement: Judgement): Promise<Found> {
  const { plan, window, workFolder, context, onProgress } = judgement;
  const { database, folders, config, signal } = context;
  const settings = plan.settings.drift;
  const maturityHours = plan.settings.performance.label_maturity_hours;
  await mkdir(workFolder, { recursive: true });
  const reference = chooseReference(window, {
    servedSince: subject.servedSince,
    hasTrainingRows: subject.holdout !== undefined,
  });
  const lookBackMs = LOOK_BACK_WINDOWS * settings.window_hours * HOUR_MS;
  const from = new Date(Number(window.end) - Math.max(lookBackMs, 4 * 168 * HOUR_MS));
  const earlier = await readFindings(database, { model: plan.model, monitor: 'drift', from, to: window.end }, 10_000);
  const together = settings.multivariate ? periodTogether(window, earlier) : undefined;
  const log = {
    databaseUrl: config.databaseUrl,
    pool: database.pool,
    daysFolder: loggedDaysFolder(folders.datasets),
    workFolder,
    signal,
  };
  const weeks =
    together &&
    chooseReference(together, { servedSince: subject.servedSince, hasTrainingRows: subject.holdout !== undefined });
  const periodsOf = (one: DriftReference | undefined) => (one && 'periods' in one ? one.periods : []);
  const periods = [window, ...(together ? [together] : []), ...periodsOf(reference), ...periodsOf(weeks)];
  const columns = watchedColumns(subject.kind, subject.manifest);
  return withDuckDb(async (connection) => {
    await openLog(connection, plan.model, periods, { ...log, maturityHours });
    onProgress(0.3);
    const rowsOf = (some: readonly Period[]) => logRows(some, { version: subject.version, maturityHours });
    const current = await layOutCells(connection, 'current', columns, rowsOf([window]));
    const rows = Math.max(current.rows.inputs, current.rows.predictions);
    const facts = { findings: [] as Finding[], rows, reference: reference.kind };
    const cannot = (summary: string): Found => ({
      ...facts,
      findings: [unknown(plan.model, window, summary, subject.version)],
    });
    if (rows < settings.least_rows)
      return cannot(`The window has ${rows} rows; fewer than ${settings.least_rows} are not judged.`);
    const hasTraining = subject.holdout !== undefined && (await loadTraining(connection, subject, judgement));
    const compared = referenceRows(reference, hasTraining, rowsOf);
    if (typeof compared === 'string') return cannot(compared);
    const sides = { current, reference: await layOutCells(connection, 'reference', columns, compared.rows) };
    onProgress(0.6);
    const found = await judgeWindow(connection, {
      subject,
      window,
      columns,
      sides: { ...sides, slots: compared.slots },
      reference,
      training: reference.kind === 'season' && hasTraining ? TRAINING_ROWS : undefined,
      settings,
      earlier,
    });
    onProgress(0.85);
    const schema = await judgeSchema(connection, {
      subject,
      window,
      columns,
      dataTypes: await context.readModelsConfig(),
    });
    const before = weeks ? referenceRows(weeks, hasTraining, rowsOf) : '';
    const all =
      together && typeof before !== 'string'
        ? await judgeTogether(connection, {
            subject,
            window: together,
            columns,
            rows: rowsOf([together]),
            reference: before.rows,
            earlier,
            leastRows: settings.least_rows,
          })
        : [];
    return { ...facts, findings: [...found, ...schema, ...all] };
  });
}

/** The rows of the reference, or why there are none. */
function referenceRows(
  reference: DriftReference,
  hasTraining: boolean,
  rowsOf: (periods: readonly Period[]) => SideRows,
): { rows: SideRows; slots: number } | string {
  if (reference.kind === 'none') return reference.reason;
  if (reference.kind !== 'training') return { rows: rowsOf(reference.periods), slots: reference.periods.length };
  return hasTraining
    ? { rows: TRAINING_ROWS, slots: 1 }
    : 'The rows that were held out when the version was trained are missing or were changed, so that there is no reference.';
}

const loadTraining = (
  connection: DuckDBConnection,
  subject: DriftSubject,
  { workFolder, context: { config, signal } }: Judgement,
): Promise<boolean> =>
  loadTrainingRows(
    connection,
    { model: subject.model, digest: subject.digest, holdout: subject.holdout! },
    { modelStoragePath: config.modelStoragePath, workFolder, signal },
  );

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Makes `log_rows` of the days that the periods lie in, with the earlier ones that labels are read from. */
async function openLog(
  connection: DuckDBConnection,
  model: string,
  periods: readonly Period[],
  { maturityHours, ...log }: LogContext & { maturityHours: number },
): Promise<void> {
  const files = new Set<string>();
  let first = Infinity;
  for (const { start, end } of periods) {
    for (const hours of new Set([0, maturityHours])) {
      const startMs = Number(start) - hours * HOUR_MS;
      first = Math.min(first, startMs);
      const days = { model, startDate: dayOf(startMs), endDate: dayOf(Number(end) - hours * HOUR_MS - 1) };
      for (const file of await exportLoggedDays(days, log)) files.add(file);
    }
  }
  if (files.size > 0) await viewLog(connection, [...files].sort(), { model, startDate: dayOf(first) }, log);
  const empty = `SELECT NULL AS id, NULL::JSON AS features, NULL::JSON AS predictions, NULL::JSON AS outcome, NULL AS version, NULL::TIMESTAMPTZ AS logged_at WHERE false`;
  await connection.run(
    `CREATE VIEW log_rows AS ${files.size > 0 ? 'SELECT *, CAST(created_at AS TIMESTAMPTZ) AS logged_at FROM logged' : empty}`,
  );
}
