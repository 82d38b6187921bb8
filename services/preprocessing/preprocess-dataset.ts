import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../core/errors.js';
import { withDuckDb } from '../duckdb.js';
import type { ColumnType } from '../datasets/column-types.js';
import { countReasons, publishSnapshot, findFinished } from '../datasets/commit-dataset.js';
import { datasetFiles } from '../datasets/dataset-files.js';
import { countRows, datasetRows } from '../datasets/dataset-rows.js';
import { DATA_FILE, MANIFEST_FILE, QUARANTINE_FILE, type DatasetManifest } from '../datasets/manifest.js';
import { profileColumns } from '../datasets/profile-columns.js';
import { sha256OfFile } from '../storage/sha256-of-file.js';
import { syncPath } from '../storage/sync-path.js';
import { applyPreprocessor } from './apply-preprocessor.js';
import { fitPreprocessor, type Preprocessor } from './fit-preprocessor.js';
import type { PreprocessingPlan } from './plan-preprocessing.js';

/** What was learnt, beside the rows that it was applied to. */
export const PREPROCESSOR_FILE = 'preprocessor.json';
const SHARE_OF_FIT = 0.4;

/**
 * Learns from a dataset and writes the prepared one: rows, rows left out with their reasons, what was learnt, manifest. The folder appears
 * whole or not at all, and a finished one is adopted, so this can be repeated after any crash.
 * @throws ServiceError `dataset_rejected` when no row is left, `request_invalid` for a target or names that do not work out
 */
export async function preprocessDataset(
  plan: PreprocessingPlan,
  context: { folder: string; attempt: string },
  onProgress: (share: number) => void,
): Promise<DatasetManifest> {
  const final = join(context.folder, plan.datasetId);
  const finished = await findFinished(final);
  if (finished) return finished;
  const staging = join(context.folder, '.staging', `${plan.datasetId}-${context.attempt}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const files = {
    data: join(staging, DATA_FILE),
    quarantine: join(staging, QUARANTINE_FILE),
    columns: plan.columns.map(({ name }) => name),
  };
  const source = datasetRows(await datasetFiles(context.folder, plan.source.datasetId));
  try {
    const manifest = await withDuckDb(async (connection) => {
      const preprocessor = await fitPreprocessor(connection, source, plan, (share) => onProgress(SHARE_OF_FIT * share));
      await applyPreprocessor(connection, source, preprocessor, files, (rows) =>
        onProgress(SHARE_OF_FIT + (0.95 - SHARE_OF_FIT) * Math.min(1, rows / Math.max(1, plan.rows))),
      );
      await writeFile(join(staging, PREPROCESSOR_FILE), JSON.stringify(preprocessor));
      const rows = await countRows(connection, files.data);
      const { profiles, warnings } = await profileColumns(connection, files.data, columnsOf(plan, preprocessor), rows);
      const left = await countReasons(connection, files.quarantine, 'warning');
      return describe(plan, { rows, columns: profiles, files, quality: [...left, ...warnings] });
    });
    if (manifest.rows === 0)
      throw new ServiceError(
        'dataset_rejected',
        `No row of ${plan.source.datasetId} is left: all ${plan.rows} lack a value or lie beyond the bounds. Use another handle_missing than drop, or wider bounds.`,
      );
    await writeFile(join(staging, MANIFEST_FILE), JSON.stringify(manifest, undefined, 2));
    for (const file of [DATA_FILE, QUARANTINE_FILE, PREPROCESSOR_FILE, MANIFEST_FILE])
      await syncPath(join(staging, file));
    return await publishSnapshot(staging, final, manifest);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function columnsOf(plan: PreprocessingPlan, { passed, encoder }: Preprocessor): { name: string; type: ColumnType }[] {
  const stored = new Map(plan.columns.map((column) => [column.name, column.stored]));
  return [
    ...passed.map(({ name }) => ({ name, type: stored.get(name) ?? 'string' })),
    ...encoder.columns.map((name) => ({ name, type: 'number' as const })),
  ];
}

async function describe(
  plan: PreprocessingPlan,
  made: Pick<DatasetManifest, 'rows' | 'columns' | 'quality'> & { files: { data: string } },
): Promise<DatasetManifest> {
  return {
    format_version: 1,
    dataset_id: plan.datasetId,
    data_type: plan.dataType,
    source: `dataset:${plan.source.datasetId}`,
    rows: made.rows,
    quarantined_rows: plan.rows - made.rows,
    digest: await sha256OfFile(made.files.data),
    bytes: (await stat(made.files.data)).size,
    columns: made.columns,
    quality: made.quality,
    lineage: {
      operation: 'preprocess',
      job_id: plan.jobId,
      parents: [{ dataset_id: plan.source.datasetId, digest: plan.source.digest }],
    },
  };
}
