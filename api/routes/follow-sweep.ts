import type { SweepStore } from '../../services/search/sweep-store.js';
import type { StreamedEvent } from './stream-job-events.js';

const MOST_TRIALS_A_LOOK = 500;
/** A row can be seen a little later than the time that it carries. */
const OVERLAP_MS = 2000;

/**
 * Makes the function that tells what has changed in the sweep of a job since it was last called: an event `sweep` with what
 * `GET /sweeps/{sweep_id}` answers, and an event `trial` for each trial. An estimate alone is no change.
 */
export function followSweep(jobId: string, sweeps: SweepStore): () => Promise<StreamedEvent[]> {
  const sent = new Map<string, string>();
  let since = new Date(0);
  const isNew = (key: string, text: string) => sent.get(key) !== text && Boolean(sent.set(key, text));
  return async () => {
    const sweep = await sweeps.findOfJob(jobId);
    if (!sweep) return [];
    const changed = await sweeps.changedTrials(
      sweep.sweep_id,
      new Date(since.getTime() - OVERLAP_MS),
      MOST_TRIALS_A_LOOK,
    );
    since = changed.at(-1)?.updatedAt ?? since;
    const trials = changed
      .map(({ updatedAt: _, ...trial }) => ({ event: 'trial', data: JSON.stringify(trial), key: String(trial.trial) }))
      .filter(({ key, data }) => isNew(key, data));
    const { eta_seconds: _eta, ...lasting } = sweep;
    return isNew('sweep', JSON.stringify(lasting))
      ? [{ event: 'sweep', data: JSON.stringify(sweep) }, ...trials]
      : trials;
  };
}
