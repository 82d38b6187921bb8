import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../database/database.js';

/** The advisory lock of whoever writes files of finished datasets anew. */
const FILES_LOCK = 7_233_011;
const LOOK_AGAIN_MS = 500;

/**
 * Runs work that writes files of finished datasets anew, one at a time in the whole installation: what one takes out of a file, another must not
 * bring back.
 * @param work gets a signal that is given as well when the connection that holds the lock is lost
 * @throws what the signal was given for; what the work throws
 */
export async function withFilesLock<T>(
  { pool }: Pick<Database, 'pool'>,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const lock = await pool.connect();
  const lost = new AbortController();
  lock.once('error', (error) => lost.abort(error));
  try {
    for (;;) {
      signal.throwIfAborted();
      const { rows } = await lock.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [FILES_LOCK]);
      if (rows[0]?.taken) break;
      await wait(LOOK_AGAIN_MS, undefined, { signal });
    }
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    // The lock goes with its connection.
    lock.release(true);
  }
}
