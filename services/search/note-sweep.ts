import { ServiceError } from '../../core/errors.js';
import { MOST_TRIALS_OF_SEVERAL } from '../../core/schemas/search.js';
import type { Database } from '../database/database.js';
import { objectivesOf } from './judge-metrics.js';
import type { SearchPlan } from './search-plan.js';

/** What the workflow of a sweep has been told; `revision` counts its changes, so that a late repetition changes nothing. */
export interface SweepNote {
  sweepId: string;
  revision: number;
  isPaused: boolean;
  trials: number;
  timeoutSeconds?: number;
}

/**
 * Writes down where a sweep stands; from then on no trial begins that it does not allow. Repeatable.
 * @throws ServiceError `sweep_conflict` for fewer trials than have begun, `request_invalid` for more than the objectives allow
 */
export async function noteSweep(note: SweepNote, { database }: { database: Database }): Promise<void> {
  const { sweepId: id, revision, isPaused, trials, timeoutSeconds } = note;
  await database.prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT 1 FROM sweeps WHERE id = ${id} FOR UPDATE`;
    const sweep = await transaction.sweep.findUnique({ where: { id } });
    if (!sweep || sweep.finishedAt || sweep.revision >= revision) return;
    if (trials !== sweep.trials) {
      const objectives = objectivesOf(sweep.settings as Pick<SearchPlan, 'objectives'>).length;
      if (objectives > 1 && trials > MOST_TRIALS_OF_SEVERAL)
        throw new ServiceError(
          'request_invalid',
          `trials must be at most ${MOST_TRIALS_OF_SEVERAL} with several objectives.`,
        );
      const begun = await transaction.sweepTrial.count({ where: { sweepId: id } });
      if (trials < begun)
        throw new ServiceError(
          'sweep_conflict',
          `${begun} trials have begun already; ask for as many or more, or stop the sweep.`,
        );
    }
    await transaction.sweep.update({
      where: { id },
      data: { state: isPaused ? 'paused' : 'running', revision, trials, timeoutSeconds: timeoutSeconds ?? null },
    });
  });
}
