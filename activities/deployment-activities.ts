import type { Container } from '../services/container.js';
import { closeDeployment, type ClosedState } from '../services/deployments/close-deployment.js';
import { openDeployment, type OpenDeployment } from '../services/deployments/open-deployment.js';
import { confirmServed, switchRoute, verifyVersion } from '../services/deployments/switch-route.js';
import { mapFailures, runActivity } from './activity-run.js';

export function createDeploymentActivities(container: Container) {
  const { config, database } = container;
  return {
    openDeployment: (input: { jobId: string; request: unknown }) =>
      runActivity(container, input.jobId, { stage: 'open', from: 0, to: 0.1 }, () =>
        openDeployment(input, { database }),
      ),
    verifyVersion: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'verify', from: 0.1, to: 0.4 }, () =>
        verifyVersion(deployment, { database, modelStoragePath: config.modelStoragePath }),
      ),
    switchRoute: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'switch', from: 0.4, to: 0.6 }, () =>
        switchRoute(deployment, container),
      ),
    confirmServed: (deployment: OpenDeployment) =>
      runActivity(container, deployment.jobId, { stage: 'confirm', from: 0.6, to: 0.95 }, ({ signal }) =>
        confirmServed(deployment, { database, apiBaseUrl: config.apiBaseUrl, signal }),
      ),
    closeDeployment: (input: OpenDeployment & { state: ClosedState; reason?: string }) =>
      mapFailures(() => closeDeployment(input, { database })),
  };
}
