import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError, type FieldProblem } from '../../core/errors.js';
import { ingestRequestSchema, type DataFormat } from '../../core/schemas/ingestion.js';
import { digestOf } from '../canonical-json.js';
import type { Container } from '../container.js';
import { parseRequest } from '../parse-request.js';
import { readStaged, writeStaged } from '../storage/staged-file.js';
import { admitDataset } from '../validation/admit-dataset.js';
import type { ColumnType } from './column-types.js';
import { copyFromPostgres } from './copy-from-postgres.js';
import { exportPredictions } from './export-predictions.js';
import { readManifest, snapshotDataset } from './snapshot-dataset.js';
import { resolveSource, sealSource, type Source } from './source.js';

/** What an ingestion works with. */
export type IngestionContext = Pick<Container, 'config' | 'database' | 'folders' | 'readModelsConfig' | 'failPoint'>;

/** What the steps of an ingestion follow; without credentials, since it is written into the workflow's history. */
export interface IngestionPlan {
  jobId: string;
  datasetId: string;
  dataType: string;
  source: string;
  sourceLabel: string;
  options: {
    table?: string;
    query?: string;
    columns?: string[];
    start_date?: string;
    end_date?: string;
    format?: DataFormat;
    validation: 'quarantine' | 'fail';
    schema_changes?: 'stop' | 'accept';
  };
}

/** Where the raw rows are: the caller's own file, or a copy of the table. */
export interface ExtractedSource {
  path: string;
  format: DataFormat;
  columns?: { name: string; type: ColumnType }[];
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
  const sealed = await sealSource(context.database, request.source);
  const source = await resolveSource(sealed, request.options, {
    database: context.database,
    roots: context.config.dataSourceRoots,
  });
  if (source.kind === 'postgresql' && !request.options.table && !request.options.query) {
    throw new ServiceError('request_invalid', 'A PostgreSQL source needs a table or a query.', [
      { path: 'options.table', message: 'is needed for a postgresql:// source (or options.query)' },
    ]);
  }
  refuseMeaninglessOptions(source.kind, request.options);
  return {
    jobId: input.jobId,
    datasetId: datasetIdOf(input.jobId),
    dataType: request.data_type,
    source: sealed,
    sourceLabel:
      source.kind === 'postgresql'
        ? `${source.label}${request.options.table ? `#${request.options.table}` : ''}`
        : source.label,
    options: request.options,
  };
}

/** What each kind of source has that the others have not. */
const OPTIONS_OF = {
  postgresql: ['table', 'query'],
  file: ['format'],
  predictions: ['start_date', 'end_date'],
} as const;

function refuseMeaninglessOptions(kind: Source['kind'], options: IngestionPlan['options']): void {
  const problems = (['postgresql', 'predictions'] as const)
    .filter((other) => other !== kind)
    .flatMap((other) => OPTIONS_OF[other].filter((name) => options[name] !== undefined).map((name) => [name, other]))
    .map(([name, other]) => ({
      path: `options.${name}`,
      message: `is for ${other === 'postgresql' ? 'postgresql:// sources' : 'predictions:{model}'} only; leave it out`,
    }));
  if (problems.length === 0) return;
  throw new ServiceError('request_invalid', 'The source has no such options.', problems);
}

/** Copies a table into the staging folder, once: a finished copy is adopted by the next attempt. Files are read in place. */
export async function extractSource(
  plan: IngestionPlan,
  context: IngestionContext & { signal: AbortSignal },
  onProgress: (share: number) => void,
): Promise<ExtractedSource> {
  const source = await resolveSource(plan.source, plan.options, {
    database: context.database,
    roots: context.config.dataSourceRoots,
  });
  if (source.kind === 'file') return { path: source.path, format: source.format };
  const staging = stagingFolder(context, plan);
  await mkdir(staging, { recursive: true });
  const marker = join(staging, 'extracted.json');
  const done = await readStaged(marker);
  if (done) return JSON.parse(done.toString('utf8')) as ExtractedSource;
  // A name of its own for each attempt: one that was given up may still be writing.
  const file = join(staging, `rows-${process.pid}-${Date.now().toString(36)}.csv`);
  const extracted: ExtractedSource =
    source.kind === 'predictions'
      ? { ...(await extractPredictions(source.model, plan, context, `${file}.days`, onProgress)), format: 'csv' }
      : { ...(await copyTable(source.url, plan, context, file, onProgress)), format: 'csv' };
  context.failPoint('ingest:after-extract');
  await writeStaged(marker, JSON.stringify(extracted));
  return extracted;
}

async function copyTable(
  url: string,
  plan: IngestionPlan,
  { signal }: { signal: AbortSignal },
  file: string,
  onProgress: (share: number) => void,
) {
  const { table, query, columns: only } = plan.options;
  const { columns } = await copyFromPostgres({ url, table, query, columns: only, file, signal }, onProgress);
  return { path: file, columns };
}

function extractPredictions(
  model: string,
  { options }: IngestionPlan,
  { config, database, folders, signal }: IngestionContext & { signal: AbortSignal },
  workFolder: string,
  onProgress: (share: number) => void,
) {
  return exportPredictions(
    { model, startDate: options.start_date, endDate: options.end_date, columns: options.columns },
    {
      databaseUrl: config.databaseUrl,
      pool: database.pool,
      daysFolder: join(folders.datasets, '.predictions'),
      workFolder,
      signal,
    },
    onProgress,
  );
}

/** Checks the rows and writes the snapshot. */
export async function writeDataset(
  input: { plan: IngestionPlan; extracted: ExtractedSource },
  context: IngestionContext & { attempt: string },
  onProgress: (share: number) => void,
): Promise<void> {
  const { plan, extracted } = input;
  const { dataTypes } = await context.readModelsConfig();
  await snapshotDataset(
    {
      datasetId: plan.datasetId,
      dataType: plan.dataType,
      sourceLabel: plan.sourceLabel,
      raw: extracted,
      onlyColumns: plan.options.columns,
      validation: plan.options.validation,
      expectations: dataTypes.get(plan.dataType),
      folder: context.folders.datasets,
      attempt: context.attempt,
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
      `The snapshot ${folder} is missing. Was DATA_STORAGE_PATH changed, or is it not shared by all workers?`,
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
  await context.database.prisma.dataset.createMany({ data: [data], skipDuplicates: true });
  context.failPoint('ingest:after-row');
  await removeIngestionStaging(context, plan.jobId);
  return {
    dataset_id: plan.datasetId,
    rows: manifest.rows,
    quarantined_rows: manifest.quarantined_rows,
    digest: manifest.digest,
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}

function stagingFolder(context: IngestionContext, plan: { jobId: string }): string {
  return join(context.folders.datasets, '.staging', `extract-${digestOf(plan.jobId).slice(0, 20)}`);
}

/** Also called when an ingestion has failed or was cancelled. */
export async function removeIngestionStaging(context: IngestionContext, jobId: string): Promise<void> {
  await rm(stagingFolder(context, { jobId }), { recursive: true, force: true });
}
