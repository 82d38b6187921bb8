import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { BoostingWorker, type BoostingJob } from '../../ml/ensemble/boosting-work.js';
import type { WasmMemory } from '../../ml/wasm/assembler.js';

/** Places in the numbers that the threads of a crew share. */
export const CONTROL = { round: 0, pending: 1, failed: 2, length: 3 } as const;

export interface TreeThreadData {
  control: Int32Array;
  jobs: MessagePort;
  part: number;
  parts: number;
}

const SPINS = 10_000;

/** Waits for rounds and does this thread's part of each, until the thread is ended. */
function work({ control, jobs, part, parts }: TreeThreadData): void {
  let worker: BoostingWorker | undefined;
  for (let round = 0; ; round++) {
    for (let spin = 0; spin < SPINS && Atomics.load(control, CONTROL.round) === round; spin++);
    while (Atomics.load(control, CONTROL.round) === round) Atomics.wait(control, CONTROL.round, round);
    try {
      for (let next = receiveMessageOnPort(jobs); next; next = receiveMessageOnPort(jobs)) {
        const message = next.message as { job: BoostingJob; memory: WasmMemory } | null;
        worker = message ? new BoostingWorker(message.job, message.memory, part) : undefined;
      }
      worker!.perform(part, parts);
    } catch (error) {
      process.stderr.write(`a thread of a fit failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      Atomics.store(control, CONTROL.failed, 1);
    }
    if (Atomics.sub(control, CONTROL.pending, 1) === 1) Atomics.notify(control, CONTROL.pending);
  }
}

// Imported by the other side for its types and names, run as a thread.
if ((workerData as Partial<TreeThreadData> | null)?.control) work(workerData as TreeThreadData);
