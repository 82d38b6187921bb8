import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Lets everything else on the machine go before this process: predictions and heartbeats must not wait for a fit. Linux keeps a priority for each thread, and
 * those that collect garbage and compile are there before any of our code; threads that come later have the priority of the one that starts them.
 */
export function lowerPriority(): void {
  const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
  for (const thread of threads) {
    try {
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // One that has ended meanwhile.
    }
  }
}
