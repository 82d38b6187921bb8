import { fileURLToPath } from 'node:url';
import { Tinypool } from 'tinypool';
import compareColumn, { type ComparedColumnNumbers, type ComparisonTask } from './comparison-thread.js';

/** Compares a column in some thread; its numbers are gone for the caller afterwards. */
export type CompareColumn = (task: ComparisonTask) => Promise<ComparedColumnNumbers>;

/** A thread takes as long to begin as the comparison of so many numbers. */
const LEAST_NUMBERS = 50_000;

/**
 * Gives `work` a function that compares columns on all cores, so that neither one core has to do it all nor the caller's other work waits for it.
 * Threads begin with the first column that is worth one, and end with `work`.
 */
export async function withComparisonThreads<T>(work: (compare: CompareColumn) => Promise<T>): Promise<T> {
  let pool: Tinypool | undefined;
  try {
    return await work(async (task) => {
      const samples = [...task.windows.reference, task.windows.current];
      if (samples.reduce((sum, { values }) => sum + values.length, 0) < LEAST_NUMBERS) return compareColumn(task);
      pool ??= new Tinypool({
        filename: fileURLToPath(new URL('./comparison-thread.js', import.meta.url)),
        runtime: 'worker_threads',
        isolateWorkers: false,
      });
      const buffers = new Set(samples.map(({ values }) => values.buffer as ArrayBuffer));
      return (await pool.run(task, { transferList: [...buffers] })) as ComparedColumnNumbers;
    });
  } finally {
    await pool?.destroy();
  }
}
