import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { BoostingCrew, BoostingJob } from '../../ml/ensemble/boosting-work.js';
import { MOST_THREADS } from '../../ml/tree/gradient-plan.js';
import type { WasmMemory } from '../../ml/wasm/assembler.js';
import { CONTROL, type TreeThreadData } from './tree-thread.js';

/** A crew whose other members are worker threads; `close` ends them. */
export interface TreeThreads extends BoostingCrew {
  close(): void;
}

/** Looks at a number so often before it sleeps: about 100 microseconds, what lies between two tasks of a tree. */
const SPINS = 10_000;

/**
 * Starts threads that work on fits together with the thread that calls. That one blocks while it waits, so call it where
 * nothing else has to go on: in a trainer process, not in one that serves.
 * @param threads all of them with the caller, 1 to 64
 */
export function createTreeThreads(threads: number): TreeThreads {
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS))
    throw new RangeError(`a fit can use 1 to ${MOST_THREADS} threads, not ${threads}`);
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL.length));
  const entry = fileURLToPath(new URL('./tree-thread.js', import.meta.url));
  const members = Array.from({ length: threads - 1 }, (_, index) => {
    const { port1, port2 } = new MessageChannel();
    const workerData: TreeThreadData = { control, jobs: port2, part: index + 1, parts: threads };
    const worker = new Worker(entry, { workerData, transferList: [port2] });
    // A fit that was given up must not keep the process alive.
    worker.unref();
    port1.unref();
    return { worker, jobs: port1 };
  });
  /** Wakes all others and waits until the last of them is done. */
  const round = (own: () => void): void => {
    Atomics.store(control, CONTROL.pending, members.length);
    Atomics.add(control, CONTROL.round, 1);
    Atomics.notify(control, CONTROL.round);
    own();
    awaitZero(control);
    if (Atomics.load(control, CONTROL.failed) !== 0)
      throw new Error('a thread of the fit failed: see its message above');
  };
  return {
    threads,
    attach(job: BoostingJob, memory: WasmMemory): void {
      for (const { jobs } of members) jobs.postMessage({ job, memory }, []);
    },
    perform: (own) => (members.length > 0 ? round(own) : own()),
    detach(): void {
      for (const { jobs } of members) jobs.postMessage(null, []);
    },
    close(): void {
      for (const { worker, jobs } of members) {
        jobs.close();
        void worker.terminate();
      }
    },
  };
}

function awaitZero(control: Int32Array): void {
  for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(control, CONTROL.pending) === 0) return;
  for (;;) {
    const pending = Atomics.load(control, CONTROL.pending);
    if (pending === 0) return;
    Atomics.wait(control, CONTROL.pending, pending);
  }
}
