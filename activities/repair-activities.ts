import type { Container } from '../services/container.js';
import { closeRepair, noteRollout, type RepairEnd } from '../services/repair/close-repair.js';
import { noteRepairData, planRepairData } from '../services/repair/collect-repair-data.js';
import { judgeRepair } from '../services/repair/judge-repair.js';
import { openRepair, type OpenRepair } from '../services/repair/open-repair.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createRepairActivities(container: Container) {
  const { config, database, readModelsConfig } = container;
  const { modelStoragePath } = config;
  return {
    openRepair: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.05 }, async () =>
        openRepair(input, { database, config: await readModelsConfig() }),
      ),
    planRepairData: (repair: OpenRepair) =>
      mapFailures(async () => planRepairData(repair, { database, config: await readModelsConfig() })),
    noteRepairData: (input: Parameters<typeof noteRepairData>[0]) =>
      mapFailures(() => noteRepairData(input, { database })),
    judgeRepair: (input: Parameters<typeof judgeRepair>[0]) =>
      runActivity(container, input.repair.jobId, { stage: 'judge', from: 0.5, to: 0.6 }, ({ signal }) =>
        judgeRepair(input, { database, modelStoragePath, signal }),
      ),
    noteRollout: (input: Parameters<typeof noteRollout>[0]) => mapFailures(() => noteRollout(input, database)),
    closeRepair: (input: RepairEnd) => mapFailures(() => closeRepair(input, database)),
  };
}
