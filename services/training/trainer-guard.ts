import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { ServiceError } from '../../core/errors.js';
import { compiledScript } from '../project-root.js';

/** A training process that died without a word; worth another attempt. */
export class TrainerCrash extends Error {
  override readonly name = 'TrainerCrash';
}

const KILL_AFTER_MS = 2000;
const WATCH_EVERY_MS = 500;

/** Starts a training process with a bounded heap; it talks by messages. */
export function forkTrainer(script: string, memoryMb: number): ChildProcess {
  return fork(compiledScript(script), {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${memoryMb}`],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** What the end of a training process before it was done means. */
export function describeExit(code: number | null, signal: NodeJS.Signals | null, memoryMb: number): Error {
  // V8 aborts a process that outgrows its heap.
  if (signal === 'SIGABRT' || code === 134) return outOfMemory(memoryMb);
  return new TrainerCrash(`The training process ended with ${signal ?? `code ${code}`} before it was done.`);
}

/**
 * Calls `fail` when the process takes longer or needs more memory than it may.
 * @param onMemory is told the resident bytes at each look
 */
export function watchLimits(
  child: ChildProcess,
  limits: { seconds: number; memoryMb: number },
  fail: (error: Error) => void,
  onMemory: (bytes: number) => void = () => undefined,
): () => void {
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
      onMemory(bytes);
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
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await gone;
  clearTimeout(timer);
}
