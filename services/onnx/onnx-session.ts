import { createRequire } from 'node:module';
import type * as runtime from 'onnxruntime-node';
import type { Tensor } from 'onnxruntime-node';
import { ServiceError } from '../../core/errors.js';

type Runtime = typeof runtime;

/** What lies below the runtime's own `InferenceSession`, which does nothing but put each call off to a later turn. */
interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: Record<string, Tensor>, fetches: Record<string, null>, options: object): Record<string, Tensor>;
}
interface Binding {
  binding: { InferenceSession: new () => NativeSession };
  initOrt(): void;
}

/** A model that answers at once, as all that serves does. */
export interface OnnxSession {
  run(feeds: Record<string, Tensor>, outputs: readonly string[]): Record<string, Tensor>;
}

/**
 * Loads `onnxruntime-node`, an optional package.
 * @throws ServiceError `import_rejected` where this machine does not have it
 */
export function loadRuntime(): Pick<Runtime, 'Tensor'> & Binding {
  const require = createRequire(import.meta.url);
  try {
    const { Tensor } = require('onnxruntime-node') as Runtime;
    return { Tensor, ...(require('onnxruntime-node/dist/binding.js') as Binding) };
  } catch (error) {
    throw new ServiceError(
      'import_rejected',
      `Imported models need the package onnxruntime-node, which this machine lacks or cannot load (${(error as NodeJS.ErrnoException).code ?? 'unknown'}). Run npm ci.`,
    );
  }
}

/** One thread a session: many requests side by side use the cores better. @throws Error for a model that the runtime does not take */
export function openOnnxSession(bytes: Uint8Array): OnnxSession {
  const { binding, initOrt } = loadRuntime();
  initOrt();
  const session = new binding.InferenceSession();
  session.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: 3,
  });
  return {
    run: (feeds, outputs) => session.run(feeds, Object.fromEntries(outputs.map((name) => [name, null])), {}),
  };
}
