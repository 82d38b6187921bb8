import { ServiceError } from '../../core/errors.js';
import { createDeferred, type Deferred } from '../deferred.js';
import { describeExit, forkTrainer, stopChild, watchLimits } from './trainer-guard.js';
import type { TrainerMessage, TrainerOrder } from './trainer-process.js';

export interface TrainerLimits {
  seconds: number;
  memoryMb: number;
  signal: AbortSignal;
}

/**
 * Runs one step in a process of its own and waits for it, within its time and memory.
 * @param onProgress is told the share done, 0 to 1, as the process reports it.
 * @throws ServiceError `training_timeout` or `training_out_of_memory`; TrainerCrash; what the step itself threw; or the
 * reason of the signal when the job was cancelled or its worker is shutting down. The process is gone in each case.
 */
export async function runTrainer(
  order: TrainerOrder,
  limits: TrainerLimits,
  onProgress: (share: number, detail: string) => void,
): Promise<void> {
  limits.signal.throwIfAborted();
  const child = forkTrainer('services/training/trainer-process.js', limits.memoryMb);
  const end = createDeferred<void>();
  const stopWatching = watchLimits(child, limits, end.reject);
  const onAbort = () => end.reject(limits.signal.reason);
  limits.signal.addEventListener('abort', onAbort, { once: true });
  child.on('message', (message) => handleMessage(message as TrainerMessage, onProgress, end));
  child.on('error', end.reject);
  child.on('exit', (code, signal) => end.reject(describeExit(code, signal, limits.memoryMb)));
  child.send(order);
  try {
    await end.promise;
  } finally {
    stopWatching();
    limits.signal.removeEventListener('abort', onAbort);
    await stopChild(child);
  }
}

function handleMessage(
  message: TrainerMessage,
  onProgress: (share: number, detail: string) => void,
  end: Deferred<void>,
): void {
  if (message.type === 'progress') onProgress(message.share, message.detail);
  else if (message.type === 'done') end.resolve();
  else
    end.reject(
      message.code ? new ServiceError(message.code, message.message, message.problems) : new Error(message.message),
    );
}
