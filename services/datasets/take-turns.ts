/** Lets so many pieces of work run at a time, in the order in which they came. */
export function createTurns() {
  const waiting: (() => void)[] = [];
  let running = 0;
  const wait = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(enter), 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(enter);
    });
  return {
    /** Runs `work` once fewer than `atOnce` others run. @throws the reason of the signal when it ends the wait */
    async take<T>(atOnce: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      signal.throwIfAborted();
      // Whoever leaves hands the place on, so the count stays.
      if (running >= atOnce) await wait(signal);
      else running++;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else running--;
      }
    },
  };
}
