import { ServiceError, type FieldProblem } from '../../core/errors.js';
import {
  preprocessRequestSchema,
  type PreprocessRequest,
  type PreprocessingConfig,
} from '../../core/schemas/preprocessing.js';
import type { ColumnType as MatrixType } from '../../ml/preprocess/column-type.js';
import type { Database } from '../database/database.js';
import type { ColumnType } from '../datasets/column-types.js';
import { datasetIdOf } from '../datasets/ingestion.js';
import type { DatasetManifest } from '../datasets/manifest.js';
import { parseRequest } from '../parse-request.js';
import { askedFor, methodOf, unknownColumns } from './column-choices.js';

/** What becomes of one column. */
export interface ColumnPlan {
  name: string;
  stored: ColumnType;
  /** What its values mean; `any` where only they can tell a category from an id or free text. */
  type: MatrixType | 'any';
  /** Becomes numbers; stays but for gaps; stays whatever is asked for all columns. */
  role: 'encode' | 'pass' | 'keep';
}

/** What the steps of a preprocessing follow: decided once, written into the workflow's history. */
export interface PreprocessingPlan {
  jobId: string;
  datasetId: string;
  dataType: string;
  source: { datasetId: string; digest: string; dataType: string };
  rows: number;
  config: PreprocessingConfig;
  target?: string;
  columns: ColumnPlan[];
}

/**
 * Checks a request against the dataset, before any row is read.
 * @throws ServiceError `request_invalid` or `dataset_not_found`
 */
export async function planPreprocessing(
  input: { jobId: string; request: unknown },
  { database }: { database: Database },
): Promise<PreprocessingPlan> {
  const request = parseRequest(preprocessRequestSchema, input.request);
  const dataset = await database.prisma.dataset.findUnique({ where: { id: request.dataset_id } });
  if (!dataset)
    throw new ServiceError(
      'dataset_not_found',
      `There is no dataset "${request.dataset_id.slice(0, 100)}". GET /data/datasets lists them.`,
    );
  const manifest = dataset.manifest as unknown as DatasetManifest;
  const problems = checkRequest(request, manifest);
  if (problems.length > 0)
    throw new ServiceError('request_invalid', 'The preprocessing does not fit the dataset.', problems);
  return {
    jobId: input.jobId,
    datasetId: datasetIdOf(input.jobId),
    dataType: request.data_type ?? `${dataset.dataType.slice(0, 50)}_preprocessed`,
    source: { datasetId: dataset.id, digest: dataset.digest, dataType: dataset.dataType },
    rows: dataset.rows,
    config: request.preprocessing_config,
    target: request.target,
    columns: planColumns(request, manifest.columns),
  };
}

function checkRequest(request: PreprocessRequest, manifest: DatasetManifest): FieldProblem[] {
  const columns = manifest.columns.map(({ name }) => name);
  const lacking = `is no column of ${manifest.dataset_id}; its columns: ${columns.slice(0, 50).join(', ')}`;
  const staying = [...request.keep, ...(request.target === undefined ? [] : [request.target])];
  const { preprocessing_config: config, target } = request;
  const encodesByTarget = columns.some((name) => methodOf(askedFor(config, name).encode) === 'target');
  return [
    ...request.keep.flatMap((name, at) => (columns.includes(name) ? [] : [{ path: `keep.${at}`, message: lacking }])),
    ...(target !== undefined && !columns.includes(target) ? [{ path: 'target', message: lacking }] : []),
    ...(encodesByTarget && target === undefined
      ? [{ path: 'target', message: 'is needed for encode: target: the column that the encoding learns from' }]
      : []),
    ...unknownColumns(
      config,
      columns.filter((name) => !staying.includes(name)),
      'preprocessing_config',
    ),
  ];
}

/** What becomes of each column of a dataset, as far as it can be told without its values. */
export function planColumns(
  request: PreprocessRequest,
  columns: readonly { name: string; type: ColumnType }[],
): ColumnPlan[] {
  return columns.map(({ name, type }) => planColumn(request, name, type));
}

function planColumn(request: PreprocessRequest, name: string, stored: ColumnType): ColumnPlan {
  const { preprocessing_config: config } = request;
  const asked = askedFor(config, name);
  const role = (isEncoded: boolean) => (isEncoded ? 'encode' : 'pass');
  const number = stored === 'integer' || stored === 'number';
  const type = number ? 'number' : 'any';
  if (request.keep.includes(name) || request.target === name) return { name, stored, type, role: 'keep' };
  if (number) {
    const isFilled = asked.handle_missing !== undefined && !['keep', 'drop'].includes(asked.handle_missing);
    const isScaled = asked.feature_scaling !== undefined && asked.feature_scaling !== 'none';
    return {
      name,
      stored,
      type,
      role: role(isFilled || isScaled || asked.outliers?.method === 'clip' || config.normalize),
    };
  }
  if (stored === 'timestamp' || stored === 'date')
    return { name, stored, type: 'date', role: role(asked.dates === 'parts') };
  if (stored !== 'string') return { name, stored, type, role: 'pass' };
  // Named alone, a column is a category or a text however many values it has.
  const own = Object.hasOwn(config.columns, name) ? config.columns[name]! : {};
  if (own.encode !== undefined && methodOf(asked.encode) !== 'none')
    return { name, stored, type: 'category', role: 'encode' };
  if (own.text === 'lengths') return { name, stored, type: 'text', role: 'encode' };
  return { name, stored, type: 'any', role: role(methodOf(asked.encode) !== 'none' || asked.text === 'lengths') };
}
