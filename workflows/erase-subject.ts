import { CancellationScope, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, NOTE, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const { beginErasure, forgetInMemory } = proxyActivities<Activities>(RECORD);
const { eraseRows, eraseFiles, searchSubject } = proxyActivities<Activities>(DATA);
const { finishErasure } = proxyActivities<Activities>(NOTE);

/** What is found after this many rounds is told in the report: somebody goes on writing it, or it is where nothing is erased. */
const MOST_ROUNDS = 3;

/**
 * Erases a person from every store, then searches all of them. The input is `{erasure_id}`: whom it is about stands in the database only.
 * What came in meanwhile is found by the search, and goes in the next round.
 */
export async function eraseSubject(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('erase', input, async ({ enterStage }) => {
    await enterStage('open');
    const { erasureId } = await beginErasure({ jobId, request: input });
    const step = { jobId, erasureId };
    try {
      for (let round = 1; ; round++) {
        await enterStage('memory');
        await forgetInMemory(step);
        await enterStage('rows');
        await eraseRows(step);
        await enterStage('files');
        await eraseFiles(step);
        // A question that was under way may have put an answer back.
        await forgetInMemory(step);
        await enterStage('search');
        const { found } = await searchSubject(step);
        if (found === 0 || round === MOST_ROUNDS) break;
      }
      await enterStage('report');
      return await finishErasure({ ...step, end: 'searched' });
    } catch (error) {
      await CancellationScope.nonCancellable(() => finishErasure({ ...step, end: 'failed' }));
      throw error;
    }
  });
}
