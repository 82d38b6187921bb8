import { parentPort, workerData } from 'node:worker_threads';
import { ServiceError } from '../../core/errors.js';
import { bundleFolder, loadModelBundle } from '../artifacts/model-bundle.js';
import { useFileKeys } from '../encryption/file-keys.js';
import type { ExportAnswer, ThreadOrder } from './export-in-thread.js';
import { exportOnnx } from './export-version.js';

/** Entry of the thread that exports one version, and ends. */
async function main({ modelStoragePath, model, version, digest, fileKeys }: ThreadOrder): Promise<ExportAnswer> {
  // Bytes that were sent to a thread are no buffers any more.
  useFileKeys(fileKeys?.map(({ id, key }) => ({ id, key: Buffer.from(key) })));
  try {
    const bundle = await loadModelBundle(bundleFolder(modelStoragePath, model, digest), digest);
    return { bytes: exportOnnx(bundle, version) };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { code: error.code, message: error.message };
  }
}

parentPort?.postMessage(await main(workerData as ThreadOrder), []);
