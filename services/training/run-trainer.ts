import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { ServiceError } from '../../core/errors.js';
import { createDeferred, type Deferred } from '../deferred.js';
import { compiledScript } from '../project-root.js';
import type { MeasuredPoint } from '../tracking/run-recorder.js';
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

/** A training process that died without a word; worth another attempt. */
export class TrainerCrash extends Error {
  override readonly name = 'TrainerCrash';
}

const KILL_AFTER_MS = 2000;
const WATCH_EVERY_MS = 500;

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
  const child = fork(compiledScript('services/training/trainer-process.js'), {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${limits.memoryMb}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
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
  child.on('exit', (code, signal) => {
    // V8 aborts a process that outgrows its heap.
    if (signal === 'SIGABRT' || code === 134) end.reject(outOfMemory(limits.memoryMb));
    else
      end.reject(new TrainerCrash(`The training process ended with ${signal ?? `code ${code}`} before it was done.`));
  });
  child.send(order);
  try {
    await end.promise;
  } finally {
    stopWatching();
    limits.signal.removeEventListener('abort', onAbort);
    await stopChild(child);
    await observer.ended({ ...usage, wallSeconds: (performance.now() - startMs) / 1000 });
  }
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

function watchLimits(child: ChildProcess, limits: TrainerLimits, fail: (error: Error) => void): () => void {
  const late = setTimeout(() => {
    fail(
      new ServiceError(
        'training_timeout',
        `The fit was stopped after ${limits.seconds} s, the limit of MAX_TRAINING_TIME. Use fewer or shallower trees or less data, or raise the limit.`,
      ),
    );
  }, limits.seconds * 1000);
  const memory = setInterval(() => {
    void residentBytes(child.pid).then((bytes) => {
      if (bytes > limits.memoryMb * 2 ** 20) fail(outOfMemory(limits.memoryMb));
    });
  }, WATCH_EVERY_MS);
  return () => {
    clearTimeout(late);
    clearInterval(memory);
  };
}

const outOfMemory = (limitMb: number) =>
  new ServiceError(
    'training_out_of_memory',
    `The fit needed more than ${limitMb} MiB, the limit of TRAINING_MEMORY_MB. Use less data or raise the limit.`,
  );

/** Resident memory as the kernel counts it; 0 where /proc does not exist. */
async function residentBytes(pid: number | undefined): Promise<number> {
  try {
    const pages = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1];
    return Number(pages) * 4096;
  } catch {
    return 0;
  }
}

/** SIGTERM, and after two seconds SIGKILL; returns when the process is gone. */
async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await gone;
  clearTimeout(timer);
}
