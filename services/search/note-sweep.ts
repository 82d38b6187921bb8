import type { Database } from '../database/database.js';

/** What the workflow of a sweep has been told; `revision` counts its changes, so that a late repetition changes nothing. */
export interface SweepNote {
  sweepId: string;
  revision: number;
  isPaused: boolean;
  trials: number;
  timeoutSeconds?: number;
}

/** Shows where a sweep stands. Repeatable. */
export async function noteSweep(note: SweepNote, { database }: { database: Database }): Promise<void> {
  const { sweepId: id, revision, isPaused, trials, timeoutSeconds } = note;
  await database.prisma.sweep.updateMany({
    where: { id, finishedAt: null, revision: { lt: revision } },
    data: { state: isPaused ? 'paused' : 'running', revision, trials, timeoutSeconds: timeoutSeconds ?? null },
  });
}
