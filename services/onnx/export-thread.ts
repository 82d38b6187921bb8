import { parentPort, workerData } from 'node:worker_threads';
import { ServiceError } from '../../core/errors.js';
import { bundleFolder, loadModelBundle } from '../artifacts/model-bundle.js';
import type { ExportAnswer, ExportOrder } from './export-in-thread.js';
import { exportOnnx } from './export-version.js';

/** Entry of the thread that exports one version, and ends. */
async function main({ modelStoragePath, model, version, digest }: ExportOrder): Promise<ExportAnswer> {
  try {
    const bundle = await loadModelBundle(bundleFolder(modelStoragePath, model, digest), digest);
    return { bytes: exportOnnx(bundle, version) };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { code: error.code, message: error.message };
  }
}

parentPort?.postMessage(await main(workerData as ExportOrder), []);
