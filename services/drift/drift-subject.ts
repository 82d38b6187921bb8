import type { Period } from '../../core/monitoring/choose-reference.js';
import type { ModelKind } from '../../core/names.js';
import { bundleFolder, loadManifest, type BundleManifest } from '../artifacts/model-bundle.js';
import type { HoldoutRecord } from '../artifacts/frozen-holdout.js';
import type { Database } from '../database/database.js';
import { recordOf } from '../deployments/compare-on-holdout.js';
import { trafficAsOf } from '../deployments/traffic-ledger.js';
import type { MonitoringPlan } from '../monitors/plan-monitoring.js';
import { readReport } from '../reports/read-report.js';

/** The version that a window is about, and what is known of it. */
export interface DriftSubject {
  model: string;
  kind: ModelKind;
  version: string;
  digest: string;
  manifest: BundleManifest;
  holdout: HoldoutRecord | undefined;
  /** When it began to answer. */
  servedSince: Date | undefined;
  /** Whether it began in the windows that an alarm rests on. */
  isNew: boolean;
  /** By column its share of the importance, 0 to 1; empty where it was not measured. */
  importance: ReadonlyMap<string, number>;
}

/** Windows that an alarm rests on. */
const WINDOWS = 3;

/** The version that answered at the end of a window; undefined where none did. @throws ServiceError `artifact_corrupt` */
export async function findDriftSubject(
  { model, kind }: Pick<MonitoringPlan, 'model' | 'kind'>,
  window: Period,
  { database, modelStoragePath }: { database: Database; modelStoragePath: string },
): Promise<DriftSubject | undefined> {
  const { prisma } = database;
  const served = await trafficAsOf(database, model, window.end);
  const version = served?.version ?? (await prisma.route.findUnique({ where: { model } }))?.version;
  const row = version
    ? await prisma.modelVersion.findUnique({ where: { model_version: { model, version } } })
    : undefined;
  if (!row) return undefined;
  const first = await prisma.trafficLedger.findFirst({
    where: { model, version: row.version },
    orderBy: [{ at: 'asc' }, { id: 'asc' }],
  });
  const lengthMs = Number(window.end) - Number(window.start);
  const before = await trafficAsOf(database, model, new Date(Number(window.end) - WINDOWS * lengthMs));
  return {
    model,
    kind,
    version: row.version,
    digest: row.digest,
    manifest: await loadManifest(bundleFolder(modelStoragePath, model, row.digest), row.digest),
    holdout: recordOf(row),
    servedSince: first?.at,
    isNew: before !== null && before.version !== null && before.version !== row.version,
    importance: await readImportance(row, modelStoragePath),
  };
}

/** What the version's report says of its columns, over all heads. */
async function readImportance(
  version: { model: string; version: string; digest: string },
  modelStoragePath: string,
): Promise<ReadonlyMap<string, number>> {
  const report = await readReport(version, modelStoragePath).catch(() => undefined);
  const plots = (report?.sections ?? []).flatMap(({ plots: own }) => own.filter((plot) => plot.kind === 'importance'));
  const shares = new Map<string, number>();
  for (const { bars } of plots) {
    const total = bars.reduce((sum, { value }) => sum + Math.max(0, value), 0);
    if (total === 0) continue;
    for (const { name, value } of bars)
      shares.set(name, (shares.get(name) ?? 0) + Math.max(0, value) / total / plots.length);
  }
  return shares;
}
