import { CancellationScope, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { DATA, NOTE, RECORD } from './activity-options.js';
import { runJob } from './run-job.js';

const { planMaterialization, finishMaterialization } = proxyActivities<Activities>(RECORD);
const { materializeView } = proxyActivities<Activities>(DATA);
const { abandonMaterialization } = proxyActivities<Activities>(NOTE);

/** View → what counts for each entity now → online store. The input is the body of `POST /features/views/{view}/materialize` with `view`. */
export async function materializeFeatures(input: unknown) {
  const jobId = workflowInfo().workflowId;
  return runJob('materialize', input, async ({ enterStage }) => {
    try {
      await enterStage('plan');
      const plan = await planMaterialization({ jobId, request: input });
      await enterStage('fill');
      const filled = await materializeView(plan);
      await enterStage('publish');
      return await finishMaterialization({ plan, filled });
    } catch (error) {
      await CancellationScope.nonCancellable(() => abandonMaterialization({ jobId }));
      throw error;
    }
  });
}
