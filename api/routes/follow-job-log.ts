import { GATHER_MS } from '../../services/jobs/job-log-writer.js';
import type { JobLog } from '../../services/jobs/job-log.js';
import type { StreamedEvent } from './stream-job-events.js';

const MOST_A_LOOK = 500;
/** How long after the end of a job its last lines may still be on their way. */
const LATE_MS = 2 * GATHER_MS + 100;

/**
 * Makes the function that tells the lines of a job since it was last called, as events `log`.
 * @param after the id of the last line that the reader has
 */
export function followJobLog(
  jobId: string,
  after: bigint,
  jobLog: Pick<JobLog, 'listAfter'>,
): (isOver: boolean) => Promise<StreamedEvent[]> {
  let last = after;
  return async (isOver) => {
    if (isOver) await new Promise((resolve) => setTimeout(resolve, LATE_MS));
    const events: StreamedEvent[] = [];
    for (;;) {
      const lines = await jobLog.listAfter(jobId, last, MOST_A_LOOK);
      last = BigInt(lines.at(-1)?.id ?? last);
      events.push(...lines.map((line) => ({ event: 'log', data: JSON.stringify(line) })));
      if (!isOver || lines.length < MOST_A_LOOK) return events;
    }
  };
}
