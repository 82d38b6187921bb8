import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { ServiceError } from '../../core/errors.js';
import type { Config } from '../config.js';
import { MlflowError, proxiedPath, type MlflowClient } from '../mlflow/mlflow-client.js';
import { findFile } from '../sources/file-connector.js';
import { OnnxProblem } from './inspect-onnx.js';

/** A larger model would not be served from memory beside others. */
const MOST_BYTES = 512 * 2 ** 20;
const MOST_DESCRIPTION_BYTES = 1024 * 1024;

export interface ModelFile {
  bytes: Uint8Array;
  /** Where it comes from, to be kept with the version. */
  origin: string;
}

/**
 * Reads the file of a model from a data folder or from MLflow.
 * @throws OnnxProblem with the reason; ServiceError `source_forbidden`, `dependency_unavailable`
 */
export async function readModelFile(
  source: string,
  { config, mlflow }: { config: Pick<Config, 'dataSourceRoots'>; mlflow: MlflowClient | undefined },
): Promise<ModelFile> {
  if (!/^(models|runs):\//.test(source)) {
    const { path, label, bytes } = await findFile(source, { config });
    if (bytes > MOST_BYTES) throw new OnnxProblem(`it has more than ${MOST_BYTES / 2 ** 20} MiB`);
    return { bytes: await readFile(path), origin: label };
  }
  if (!mlflow)
    throw new ServiceError('source_forbidden', 'No MLflow server is configured: set MLFLOW_TRACKING_URI.', [
      { path: 'source', message: 'needs MLFLOW_TRACKING_URI to be set' },
    ]);
  try {
    return { bytes: await readFromMlflow(source, mlflow), origin: source };
  } catch (error) {
    if (error instanceof OnnxProblem) throw error;
    if (error instanceof RangeError) throw new OnnxProblem(error.message);
    if (error instanceof MlflowError && error.status < 500)
      throw new ServiceError('source_forbidden', error.message, [{ path: 'source', message: error.message }]);
    throw new ServiceError(
      'dependency_unavailable',
      `MLflow cannot be reached at present: ${(error as Error).message}`,
      [],
      10,
    );
  }
}

/** `models:/name/3`, `models:/name@alias` or `runs:/run_id/path`. @returns the location of its folder */
async function locate(source: string, mlflow: MlflowClient): Promise<string> {
  const run = /^runs:\/([^/]+)\/(.+)$/.exec(source);
  if (run) {
    const [, id, path] = run as unknown as [string, string, string];
    const { run: found } = await mlflow.get<{ run: { info: { artifact_uri: string } } }>('runs/get', { run_id: id });
    return `${found.info.artifact_uri}/${path}`;
  }
  const named = /^models:\/([^/@]+)(?:\/(\d+)|@([^/@]+))$/.exec(source);
  if (!named) throw new OnnxProblem('the source must be models:/name/version, models:/name@alias or runs:/run_id/path');
  const [, name, number, alias] = named as unknown as [string, string, string | undefined, string | undefined];
  const version =
    number ??
    (await mlflow.get<{ model_version: { version: string } }>('registered-models/alias', { name, alias: alias! }))
      .model_version.version;
  const { artifact_uri: location } = await mlflow.get<{ artifact_uri: string }>('model-versions/get-download-uri', {
    name,
    version,
  });
  return location;
}

async function readFromMlflow(source: string, mlflow: MlflowClient): Promise<Uint8Array> {
  const folder = proxiedPath(await locate(source, mlflow));
  if (folder === undefined || folder.split('/').includes('..'))
    throw new OnnxProblem(
      'its files are not kept by the MLflow server itself (mlflow-artifacts:), so that they cannot be read',
    );
  const text = Buffer.from(await mlflow.download(`${folder}/MLmodel`, MOST_DESCRIPTION_BYTES)).toString('utf8');
  const { flavors = {} } = (parse(text) ?? {}) as {
    flavors?: Record<string, { data?: unknown; external_data?: unknown }>;
  };
  const { onnx } = flavors;
  if (!onnx)
    throw new OnnxProblem(
      `MLflow has it as ${Object.keys(flavors).join(', ') || 'nothing known'}, which is Python code or a pickle that would run code when it is loaded; ` +
        'convert it to ONNX (for scikit-learn with skl2onnx) and log it with mlflow.onnx.log_model',
    );
  const file = onnx.data;
  if (typeof file !== 'string' || !/^[\w.-]+$/.test(file)) throw new OnnxProblem('its MLmodel names no ONNX file');
  return mlflow.download(`${folder}/${file}`, MOST_BYTES);
}
