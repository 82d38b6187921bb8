import { ServiceError } from '../../core/errors.js';
import { createDeferred, type Deferred } from '../deferred.js';
import { openSpan, type OpenSpan } from '../telemetry/tracing.js';
import type { MeasuredPoint } from '../tracking/run-recorder.js';
import { describeExit, forkTrainer, stopChild, watchLimits } from './trainer-guard.js';
import type { TrainerMessage, TrainerOrder, TrainerUsage } from './trainer-process.js';

export interface TrainerLimits {
  seconds: number;
  memoryMb: number;
  signal: AbortSignal;
}

/** What one process has cost; of one that was killed, as far as it has told. */
export interface TrainerCost extends TrainerUsage {
  wallSeconds: number;
}

export interface TrainerObserver {
  /** @param share done, 0 to 1 */
  progress(share: number): void;
  measured(points: readonly MeasuredPoint[]): void;
  ended(cost: TrainerCost): Promise<void>;
}

/**
 * Runs one step in a process of its own and waits for it, within its time and memory.
 * @param observer is told of progress and figures as the process reports them, and at the end, whatever it is, of the cost.
 * @throws ServiceError `training_timeout` or `training_out_of_memory`; TrainerCrash; what the step itself threw; or the
 * reason of the signal when the job was cancelled or its worker is shutting down. The process is gone in each case.
 */
export async function runTrainer(order: TrainerOrder, limits: TrainerLimits, observer: TrainerObserver): Promise<void> {
  limits.signal.throwIfAborted();
  const startMs = performance.now();
  let usage: TrainerUsage = { cpuSeconds: 0, peakMemoryBytes: 0 };
  // The process has no exporter of its own: one that is killed could send nothing, and this one knows its cost in any case.
  const span = openSpan(`Trainer:${order.step}`, { kind: 'INTERNAL', isOnlyInside: true });
  const child = forkTrainer('services/training/trainer-process.js', limits.memoryMb);
  const end = createDeferred<void>();
  const stopWatching = watchLimits(child, limits, end.reject);
  const onAbort = () => end.reject(limits.signal.reason);
  limits.signal.addEventListener('abort', onAbort, { once: true });
  child.on('message', (received) => {
    const message = received as TrainerMessage;
    if (message.type !== 'failed') usage = message.usage;
    handleMessage(message, observer, end);
  });
  child.on('error', end.reject);
  child.on('exit', (code, signal) => end.reject(describeExit(code, signal, limits.memoryMb)));
  child.send(order);
  let failure: unknown;
  try {
    await end.promise;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    stopWatching();
    limits.signal.removeEventListener('abort', onAbort);
    await stopChild(child);
    endSpan(span, { pid: child.pid, usage, failure });
    await observer.ended({ ...usage, wallSeconds: (performance.now() - startMs) / 1000 });
  }
}

function endSpan(
  span: OpenSpan | undefined,
  { pid, usage, failure }: { pid: number | undefined; usage: TrainerUsage; failure: unknown },
): void {
  span?.setAttributes({
    ...(pid === undefined ? {} : { 'process.pid': pid }),
    'mlops.cpu_seconds': usage.cpuSeconds,
    'mlops.peak_memory_bytes': usage.peakMemoryBytes,
  });
  span?.end(failure);
}

function handleMessage(message: TrainerMessage, observer: TrainerObserver, end: Deferred<void>): void {
  if (message.type !== 'failed' && message.points.length > 0) observer.measured(message.points);
  if (message.type === 'progress') observer.progress(message.share);
  else if (message.type === 'done') end.resolve();
  else
    end.reject(
      message.code ? new ServiceError(message.code, message.message, message.problems) : new Error(message.message),
    );
}
