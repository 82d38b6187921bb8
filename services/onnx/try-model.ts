import { createDeferred } from '../deferred.js';
import { forkTrainer, stopChild, watchLimits } from '../training/trainer-guard.js';
import { OnnxProblem } from './inspect-onnx.js';
import type { TryAnswer, TryOrder } from './try-process.js';

const LIMITS = { seconds: 60, memoryMb: 4096 };
/** Predictions are answered one after another by a core: a slower model would hold up all others. */
const SLOWEST_MS = 50;

/**
 * What a model answers to some rows, found out in a process of its own, within a minute and 4 GiB.
 * @throws OnnxProblem with the reason
 */
export async function tryModel(order: TryOrder): Promise<number[][]> {
  const child = forkTrainer('services/onnx/try-process.js', LIMITS.memoryMb);
  const end = createDeferred<TryAnswer>();
  const stopWatching = watchLimits(child, LIMITS, () =>
    end.resolve({ problem: `it took more than ${LIMITS.seconds} s or ${LIMITS.memoryMb} MiB to load and to answer` }),
  );
  child.once('message', (answer) => end.resolve(answer as TryAnswer));
  child.once('error', end.reject);
  child.once('exit', (code, signal) => end.resolve({ problem: `the runtime ended with ${signal ?? `code ${code}`}` }));
  child.send(order);
  try {
    const answer = await end.promise;
    if ('problem' in answer) throw new OnnxProblem(`onnxruntime does not take it: ${answer.problem}`);
    if (answer.millisecondsPerRow > SLOWEST_MS)
      throw new OnnxProblem(
        `an answer takes ${Math.round(answer.millisecondsPerRow)} ms, more than ${SLOWEST_MS}: it would hold up all other predictions`,
      );
    return answer.answers;
  } finally {
    stopWatching();
    await stopChild(child);
  }
}
