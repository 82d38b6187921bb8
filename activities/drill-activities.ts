import type { RolloutDrillRequest } from '../core/schemas/drill.js';
import type { Container } from '../services/container.js';
import { closeDrill } from '../services/drills/close-drill.js';
import { driveTraffic, type TrafficInput } from '../services/drills/drive-traffic.js';
import { judgeTrial, type TrialInput } from '../services/drills/judge-trial.js';
import { openDrill, type OpenDrill } from '../services/drills/open-drill.js';
import { replayDrill } from '../services/drills/replay-log.js';
import { faultOf, makeFaultyVersion, prepareSandbox } from '../services/drills/sandbox-versions.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createDrillActivities(container: Container) {
  const { database } = container;
  return {
    openDrill: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.05 }, () => openDrill(input, { database })),
    prepareSandbox: ({ jobId }: OpenDrill) =>
      runActivity(container, jobId, { stage: 'sandbox', from: 0.05, to: 0.1 }, ({ attempt }) =>
        prepareSandbox(container, attempt),
      ),
    makeFaultyVersion: (input: { drill: OpenDrill; good: string; fault: 'slow' | 'error' }) =>
      mapFailures(() =>
        makeFaultyVersion(input.good, faultOf(input.fault, input.drill.request as RolloutDrillRequest), container),
      ),
    driveTraffic: (input: TrafficInput & { jobId: string; stage: string; progress: number }) =>
      runActivity(
        container,
        input.jobId,
        { stage: input.stage, from: input.progress, to: input.progress },
        ({ signal }) => driveTraffic(input, { ...container, signal }),
      ),
    judgeTrial: (input: TrialInput) => mapFailures(() => judgeTrial(input, { database })),
    replayDrill: (drill: OpenDrill) =>
      runActivity(container, drill.jobId, { stage: 'replay', from: 0.05, to: 0.95 }, (run) =>
        replayDrill(drill, { database, signal: run.signal, onReplay: run.report }),
      ),
    closeDrill: (input: Parameters<typeof closeDrill>[0]) => mapFailures(() => closeDrill(input, { database })),
  };
}
