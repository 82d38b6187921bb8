import { ServiceError } from '../../core/errors.js';
import type { PromotionVerdict } from '../../core/policy/promotion.js';
import type { MetricEstimate } from '../../ml/evaluate/metrics.js';
import type { SignatureFeature, SignatureHead } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { listNotes } from '../registry/annotate-version.js';
import { describeApprovals } from '../registry/version-approvals.js';
import { listEvents } from '../registry/version-events.js';
import type { ModelDefinition } from '../training/models-config.js';
import { readReport } from './read-report.js';
import type { ReliabilityPlot, ReportDocument, SlicesPlot } from './report-document.js';

/** A card shows so many; the endpoints of the version have all. */
const MOST_ENTRIES = 100;
const MOST_SLICES = 10;

type VersionRow = Prisma.ModelVersionGetPayload<object>;

interface Stored {
  parameters: {
    algorithm: string;
    hyperparameters: Record<string, unknown>;
    warnings?: { path: string; message: string }[];
  };
  lineage: { dataset_id?: string; dataset_digest?: string; training_rows?: number; holdout_rows?: number } & Record<
    string,
    unknown
  >;
  signature: { features?: SignatureFeature[]; heads?: SignatureHead[] };
  metrics: { heads?: Record<string, Record<string, MetricEstimate>> };
}

/**
 * What somebody should know who has to decide on a version, from stored data only: the same version, with nothing said about it
 * meanwhile, has the same card.
 */
export async function describeCard(
  row: VersionRow,
  definition: ModelDefinition,
  { database, modelStoragePath }: { database: Database; modelStoragePath: string },
) {
  const { parameters, lineage, signature, metrics } = row as unknown as Stored;
  const verdict = row.verdict as unknown as PromotionVerdict;
  const report = await reportOf(row, modelStoragePath);
  const page = { limit: MOST_ENTRIES };
  return {
    model: row.model,
    version: row.version,
    kind: row.kind,
    state: row.state,
    digest: row.digest,
    created_at: row.createdAt.toISOString(),
    tags: row.tags as Record<string, string>,
    intended_use: {
      description: definition.description ?? null,
      target: definition.target ?? null,
      entity: definition.entity ?? null,
      predicts: (signature.heads ?? []).map(({ name, task, classes }) => ({ name, task, classes: classes ?? null })),
    },
    training: {
      algorithm: parameters.algorithm,
      hyperparameters: parameters.hyperparameters,
      data: await describeData(database, lineage),
      features: (signature.features ?? []).map(({ name, type }) => ({ name, type })),
    },
    summary: report?.summary ?? [],
    metrics: metrics.heads ?? {},
    verdict,
    calibration: reliabilityOf(report),
    slices: slicesOf(report),
    limits: limitsOf(verdict, parameters, report),
    lineage,
    approvals: await describeApprovals(database, row, definition.approvals),
    notes: (await listNotes(database, row, page)).items,
    history: (await listEvents(database, row, page)).items,
  };
}

export type ModelCard = Awaited<ReturnType<typeof describeCard>>;

/** A version without a report has a card all the same. */
async function reportOf(row: VersionRow, modelStoragePath: string): Promise<ReportDocument | undefined> {
  try {
    return await readReport(row, modelStoragePath);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'report_not_found') return undefined;
    throw error;
  }
}

async function describeData({ prisma }: Database, lineage: Stored['lineage']) {
  const dataset = lineage.dataset_id ? await prisma.dataset.findUnique({ where: { id: lineage.dataset_id } }) : null;
  const manifest = dataset?.manifest as unknown as DatasetManifest | undefined;
  return {
    dataset_id: lineage.dataset_id ?? null,
    digest: lineage.dataset_digest ?? null,
    data_type: dataset?.dataType ?? null,
    source: manifest?.source ?? null,
    rows: dataset?.rows ?? null,
    quarantined_rows: dataset?.quarantinedRows ?? null,
    training_rows: lineage.training_rows ?? null,
    holdout_rows: lineage.holdout_rows ?? null,
  };
}

const plotsOf = (report: ReportDocument | undefined) =>
  (report?.sections ?? []).flatMap(({ title, plots }) => plots.map((plot) => ({ section: title, plot })));

function reliabilityOf(report: ReportDocument | undefined) {
  return plotsOf(report)
    .filter((one): one is { section: string; plot: ReliabilityPlot } => one.plot.kind === 'reliability')
    .map(({ section, plot }) => ({
      section,
      event: plot.event,
      bins: plot.bins.filter(({ rows }) => rows > 0).map(({ rows, stated, observed }) => ({ rows, stated, observed })),
    }));
}

/** The worst groups of rows first, as the report has them. */
function slicesOf(report: ReportDocument | undefined) {
  return plotsOf(report)
    .filter((one): one is { section: string; plot: SlicesPlot } => one.plot.kind === 'slices')
    .map(({ section, plot: { measure, overall, slices } }) => ({
      section,
      measure,
      overall,
      slices: slices.slice(0, MOST_SLICES),
    }));
}

/** Reasons not to rely on it, each once. */
function limitsOf(
  verdict: PromotionVerdict,
  { warnings = [] }: Stored['parameters'],
  report: ReportDocument | undefined,
): string[] {
  const told = warnings.map(({ path, message }) => `${path}: ${message}`);
  const skill = verdict.promotable ? [] : [verdict.reason];
  const missing = report ? [] : ['It has no report, so that calibration and groups of rows are not known.'];
  return [...new Set([...skill, ...told, ...(report?.warnings ?? []), ...missing])];
}
