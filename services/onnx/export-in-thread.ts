import { Worker } from 'node:worker_threads';
import { fileKeysNow, type FileKeys } from '../encryption/file-keys.js';
import { bringBundle, bundleFolder } from '../artifacts/model-bundle.js';
import { ServiceError, type ErrorCode } from '../../core/errors.js';

const ENTRY = new URL('./export-thread.js', import.meta.url);
const TIMEOUT_MS = 120_000;
const MEMORY_MB = 2048;

export interface ExportOrder {
  modelStoragePath: string;
  model: string;
  version: string;
  digest: string;
}
/** A thread knows nothing of what this one was told. */
export type ThreadOrder = ExportOrder & { fileKeys: FileKeys };
export type ExportAnswer = { bytes: Uint8Array } | { code: ErrorCode; message: string };

let last: Promise<unknown> = Promise.resolve();

/**
 * The ONNX file of a stored version, made outside the thread that answers predictions, and one at a time.
 * @throws ServiceError `export_unsupported`, `artifact_corrupt`
 */
export function exportInThread(order: ExportOrder): Promise<Uint8Array> {
  const made = last.then(() => runThread(order));
  last = made.catch(() => undefined);
  return made;
}

async function runThread(order: ExportOrder): Promise<Uint8Array> {
  await bringBundle(bundleFolder(order.modelStoragePath, order.model, order.digest));
  const answer = await new Promise<ExportAnswer>((resolve, reject) => {
    const worker = new Worker(ENTRY, {
      workerData: { ...order, fileKeys: fileKeysNow() } satisfies ThreadOrder,
      resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
    });
    const what = `the export of ${order.model} ${order.version}`;
    const timer = setTimeout(() => {
      void worker.terminate();
      reject(new Error(`${what} was not made within ${TIMEOUT_MS / 1000} s`));
    }, TIMEOUT_MS);
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      clearTimeout(timer);
      reject(new Error(`the thread of ${what} ended without a file`));
    });
  });
  if ('bytes' in answer) return answer.bytes;
  throw new ServiceError(answer.code, answer.message);
}
