import { ServiceError } from '../../core/errors.js';
import { replayInputSchema, type ReplayInput } from '../../core/schemas/replay.js';
import type { Database } from '../database/database.js';
import type { ColumnType } from '../datasets/column-types.js';
import { datasetIdOf } from '../datasets/ingestion.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { parseRequest } from '../parse-request.js';

/** What a replay follows: decided once, written into the workflow's history. */
export interface ReplayPlan {
  jobId: string;
  datasetId: string;
  dataType: string;
  source: { datasetId: string; digest: string; dataType: string; label: string; inferred: string[] };
  columns: { name: string; type: ColumnType }[];
  input: ReplayInput;
}

/**
 * Checks the corrections against the dataset, before any row is read.
 * @throws ServiceError `request_invalid`, `dataset_not_found`, or `quarantine_empty` where there is nothing to replay
 */
export async function planReplay(
  given: { jobId: string; request: unknown },
  { database }: { database: Database },
): Promise<ReplayPlan> {
  const input = parseRequest(replayInputSchema, given.request);
  const row = await database.prisma.dataset.findUnique({ where: { id: input.dataset_id } });
  if (!row)
    throw new ServiceError(
      'dataset_not_found',
      `There is no dataset "${input.dataset_id.slice(0, 100)}". GET /data/datasets lists them.`,
    );
  const manifest = row.manifest as unknown as DatasetManifest;
  if (manifest.lineage?.operation === 'preprocess')
    throw new ServiceError(
      'quarantine_empty',
      `The rows in quarantine of ${row.id} were left out by its preprocessing. Preprocess ${manifest.lineage.parents[0]?.dataset_id} in another way instead.`,
    );
  if (row.quarantinedRows === 0)
    throw new ServiceError('quarantine_empty', `The dataset ${row.id} has no row in quarantine.`);
  refuseUnknownColumns(input, manifest);
  return {
    jobId: given.jobId,
    datasetId: datasetIdOf(given.jobId),
    dataType: row.dataType,
    source: {
      datasetId: row.id,
      digest: row.digest,
      dataType: row.dataType,
      label: manifest.source,
      inferred: manifest.inferred_columns ?? [],
    },
    columns: manifest.columns.map(({ name, type }) => ({ name, type })),
    input,
  };
}

function refuseUnknownColumns({ rules, rows }: ReplayInput, manifest: DatasetManifest): void {
  const columns = manifest.columns.map(({ name }) => name);
  const message = `is no column of ${manifest.dataset_id}; its columns: ${columns.slice(0, 50).join(', ')}`;
  const problems = [
    ...rules.flatMap(({ column }, at) => (columns.includes(column) ? [] : [{ path: `rules.${at}.column`, message }])),
    ...rows.flatMap(({ values }, at) =>
      Object.keys(values)
        .filter((name) => !columns.includes(name))
        .map((name) => ({ path: `rows.${at}.values.${name}`, message })),
    ),
  ];
  if (problems.length > 0)
    throw new ServiceError('request_invalid', 'The corrections do not fit the dataset.', problems);
}
