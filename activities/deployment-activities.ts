import type { Container } from '../services/container.js';
import { chooseStrategy } from '../services/deployments/choose-strategy.js';
import { closeDeployment, type ClosedState } from '../services/deployments/close-deployment.js';
import { evaluateWindow, type EvidenceWindow } from '../services/deployments/evaluate-window.js';
import { noteCommands, type NotedCommand } from '../services/deployments/note-commands.js';
import { noteDeployment } from '../services/deployments/note-deployment.js';
import { openDeployment, type OpenDeployment } from '../services/deployments/open-deployment.js';
import { testHoldout } from '../services/deployments/test-holdout.js';
import { setTrial, type Trial } from '../services/deployments/set-trial.js';
import { confirmServed, switchRoute, verifyVersion } from '../services/deployments/switch-route.js';
import { describeFreeze, findFreeze } from '../services/freezes/freeze-store.js';
import { mapFailures, runActivity } from './activity-run.js';

const stageOf = ({ phase, share }: Trial) => (phase === 'shadow' ? 'shadow' : `canary ${share} %`);

export function createDeploymentActivities(container: Container) {
  const { config, database } = container;
  return {
    chooseStrategy: ({ model }: { model: string }) => mapFailures(() => chooseStrategy(model, container)),
    openDeployment: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.1 }, () => openDeployment(input, container)),
    verifyVersion: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'verify', from: 0.1, to: 0.4 }, () =>
        verifyVersion(deployment, { database, modelStoragePath: config.modelStoragePath }),
      ),
    testHoldout: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'holdout', from: 0.4, to: 0.4 }, ({ signal }) =>
        testHoldout(deployment, { database, modelStoragePath: config.modelStoragePath, signal }),
      ),
    switchRoute: (deployment: OpenDeployment & { reason?: string }) =>
      runActivity(container, deployment.jobId, { stage: 'switch', from: 0.4, to: 0.6 }, () =>
        switchRoute(deployment, container),
      ),
    confirmServed: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'confirm', from: 0.6, to: 0.95 }, ({ signal }) =>
        confirmServed(deployment, { ...container, signal }),
      ),
    setTrial: (input: OpenDeployment & Trial) =>
      runActivity(container, input.jobId, { stage: stageOf(input), from: 0.4, to: 0.4 }, () =>
        setTrial(input, container),
      ),
    evaluateWindow: (input: OpenDeployment & EvidenceWindow) => {
      const progress = 0.4 + 0.15 * (input.share / 100 + (input.isLastStep ? 0.5 : 0));
      return runActivity(container, input.jobId, { stage: stageOf(input), from: progress, to: progress }, () =>
        evaluateWindow(input, container),
      );
    },
    findFreeze: ({ model }: OpenDeployment) =>
      mapFailures(async () => {
        const freeze = await findFreeze(database, model);
        return freeze ? describeFreeze(freeze) : null;
      }),
    noteCommands: (input: { deploymentId: string; commands: readonly NotedCommand[] }) =>
      mapFailures(() => noteCommands(input, { database })),
    noteDeployment: (input: { deploymentId: string; state: 'running' | 'paused' | 'holding'; reason?: string }) =>
      mapFailures(() => noteDeployment(input, { database })),
    closeDeployment: (input: OpenDeployment & { state: ClosedState; reason?: string }) =>
      mapFailures(() => closeDeployment(input, { database })),
  };
}
