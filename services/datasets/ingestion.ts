import { join } from 'node:path';
import type { FieldProblem } from '../../core/errors.js';
import { ingestRequestSchema, type IngestOptions } from '../../core/schemas/ingestion.js';
import { digestOf } from '../canonical-json.js';
import type { Container } from '../container.js';
import { parseRequest } from '../parse-request.js';
import type { FetchedPart } from '../sources/connector.js';
import { fetchedPulls, fetchPart, planSource } from '../sources/fetch-parts.js';
import { findConnector, refuseMeaninglessOptions } from '../sources/find-connector.js';
import { sealSource } from '../sources/seal-source.js';
import { commitPulls } from '../sources/watermark.js';
import { admitDataset } from '../validation/admit-dataset.js';
import { readManifest } from './commit-dataset.js';
import { snapshotDataset } from './snapshot-dataset.js';
import { bringFolder, dropShared, inSharedFolder } from '../storage/shared-files.js';
import { pathHere } from '../storage/path-here.js';

/** What an ingestion works with. */
export type IngestionContext = Pick<Container, 'config' | 'database' | 'folders' | 'readModelsConfig' | 'failPoint'>;

/** What the steps of an ingestion follow; without credentials, since it is written into the workflow's history. */
export interface IngestionPlan {
  jobId: string;
  datasetId: string;
  dataType: string;
  source: string;
  sourceLabel: string;
  options: IngestOptions;
}

/** The parts of the source as they lie on disk, in the order of their rows. */
export interface ExtractedSource {
  parts: (FetchedPart & { label?: string })[];
}

/** The dataset of a job: the same job always has the same one. */
export function datasetIdOf(jobId: string): string {
  return `ds_${digestOf(['dataset', jobId]).slice(0, 20)}`;
}

/** Checks the request and the source, before any row is read. */
export async function planIngestion(
  input: { jobId: string; request: unknown },
  context: IngestionContext,
): Promise<IngestionPlan> {
  const request = parseRequest(ingestRequestSchema, input.request);
  // A workflow that was started from the command line has the credentials in its input; they go no further.
  const source = await sealSource(context.database, request.source);
  const { options, data_type: dataType } = request;
  const { jobId } = input;
  const connector = findConnector(source);
  const asked = { jobId, source, options, dataType };
  const sourceLabel = await connector.check(asked, context);
  refuseMeaninglessOptions(connector, asked);
  return { ...asked, datasetId: datasetIdOf(jobId), sourceLabel };
}

/**
 * Brings a small source, or that of a workflow of an earlier release, into the staging folder, part by part. What an earlier attempt
 * has brought is adopted.
 */
export async function extractSource(
  plan: IngestionPlan,
  context: IngestionContext & { signal: AbortSignal },
  onProgress: (share: number) => void,
): Promise<ExtractedSource> {
  const folder = stagingFolder(context, plan);
  return inSharedFolder(folder, {}, async () => {
    const { parts } = await planSource(plan, { ...context, folder });
    const fetched: ExtractedSource['parts'] = [];
    for (const [at, part] of parts.entries()) {
      context.signal.throwIfAborted();
      const onShare = (share: number) => onProgress((at + share) / parts.length);
      const brought = await fetchPart(plan, part, { ...context, folder, onProgress: onShare });
      fetched.push({ ...brought, label: part.label });
    }
    return { parts: fetched };
  });
}

/** Checks the rows and writes the snapshot. */
export async function writeDataset(
  input: { plan: IngestionPlan; extracted: ExtractedSource },
  context: IngestionContext & { attempt: string; signal: AbortSignal },
  onProgress: (share: number) => void,
): Promise<void> {
  const { plan, extracted } = input;
  await bringFolder(stagingFolder(context, plan));
  await snapshotDataset(
    {
      ...(await snapshotOf(plan, context)),
      raw: extracted.parts.map((part) => ({
        ...part,
        path: pathHere(stagingFolder(context, plan), part.path),
        label: part.label ?? plan.sourceLabel,
      })),
      mostBytes: context.config.maxSourceBytes,
      sliceBytes: context.config.ingestSliceBytes,
    },
    onProgress,
  );
  context.failPoint('ingest:after-snapshot');
}

export interface IngestionResult {
  dataset_id: string;
  rows: number;
  quarantined_rows: number;
  digest: string;
  /** How its columns have changed, and which checks of the severity warning failed. */
  warnings?: FieldProblem[];
  /** Names of parts of the source that are not in the dataset, where it was asked to do without them. */
  missing_parts?: string[];
}

/** Makes the snapshot known: one row a job, whatever is repeated. The staged copy goes. */
export async function registerDataset(
  plan: Pick<IngestionPlan, 'jobId' | 'datasetId' | 'dataType'> & { options?: Partial<IngestionPlan['options']> },
  context: IngestionContext,
): Promise<IngestionResult> {
  const folder = join(context.folders.datasets, plan.datasetId);
  const manifest = await readManifest(folder);
  if (!manifest)
    throw new Error(
      `The snapshot ${folder} is missing. Was DATA_STORAGE_PATH changed, or is it neither an S3 store nor shared by all workers?`,
    );
  const data = {
    id: plan.datasetId,
    dataType: plan.dataType,
    jobId: plan.jobId,
    rows: manifest.rows,
    quarantinedRows: manifest.quarantined_rows,
    digest: manifest.digest,
    manifest: manifest as object,
  };
  const isKnown = await context.database.prisma.dataset.findUnique({ where: { id: plan.datasetId } });
  const warnings = isKnown
    ? []
    : await admitDataset(
        { manifest, jobId: plan.jobId, acceptsChanges: plan.options?.schema_changes === 'accept' },
        { ...context, folder: context.folders.datasets },
      );
  const staging = stagingFolder(context, plan);
  await bringFolder(staging, { only: (name) => name.endsWith('.json') });
  const pulls = await fetchedPulls(staging);
  await context.database.prisma.$transaction(async (transaction) => {
    const { count } = await transaction.dataset.createMany({ data: [data], skipDuplicates: true });
    if (count > 0) await commitPulls(transaction, { jobId: plan.jobId, datasetId: plan.datasetId, pulls });
  });
  context.failPoint('ingest:after-row');
  await removeIngestionStaging(context, plan.jobId);
  return {
    dataset_id: plan.datasetId,
    rows: manifest.rows,
    quarantined_rows: manifest.quarantined_rows,
    digest: manifest.digest,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(manifest.missing_parts ? { missing_parts: manifest.missing_parts.slice(0, 100).map(({ name }) => name) } : {}),
  };
}

/** What all steps that write the dataset of a plan have to know. */
export async function snapshotOf(
  plan: IngestionPlan,
  context: IngestionContext & { attempt: string; signal: AbortSignal },
) {
  const { dataTypes } = await context.readModelsConfig();
  return {
    datasetId: plan.datasetId,
    dataType: plan.dataType,
    sourceLabel: plan.sourceLabel,
    onlyColumns: plan.options.columns,
    validation: plan.options.validation,
    expectations: dataTypes.get(plan.dataType),
    folder: context.folders.datasets,
    attempt: context.attempt,
    signal: context.signal,
  };
}

export function stagingFolder(context: IngestionContext, plan: { jobId: string }): string {
  return join(context.folders.datasets, '.staging', `extract-${digestOf(plan.jobId).slice(0, 20)}`);
}

/** Also called when an ingestion has failed or was cancelled. */
export async function removeIngestionStaging(context: IngestionContext, jobId: string): Promise<void> {
  await context.database.prisma.sourcePull.deleteMany({ where: { jobId } });
  await dropShared(stagingFolder(context, { jobId }));
}
