import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { ServiceError } from '../../core/errors.js';
import { includesRole, type Caller, type Role } from '../../core/roles.js';
import type { Database } from '../database/database.js';
import { refuseFrozen } from '../freezes/freeze-store.js';
import type { JobStore } from '../jobs/job-store.js';
import { cancelJob } from '../pipelines/cancel-job.js';
import { withTemporal } from '../pipelines/temporal-client.js';
import type { DeploymentStore } from './deployment-store.js';
import { noteCommands } from './note-commands.js';
import type { RolloutSettings } from './open-deployment.js';

export type RolloutCommand =
  | { action: 'pause' | 'resume' | 'approve' | 'abort' }
  | { action: 'promote'; override_freeze: boolean }
  | { action: 'set_ladder'; steps: readonly number[] };

export interface CommandCall {
  caller: Caller;
  note?: string;
  correlationId: string;
}

/**
 * Tells a rollout that is under way what a person wants of it. Whatever is told is written down with the name of the caller.
 * @throws ServiceError `deployment_not_found`; `deployment_conflict` for one that is over, or that has no such choice; `role_insufficient`;
 * `traffic_frozen`
 */
export async function controlRollout(
  id: string,
  command: RolloutCommand,
  { caller, note, correlationId }: CommandCall,
  context: { database: Database; deployments: DeploymentStore; jobs: JobStore; temporal: Client },
): Promise<void> {
  const { database, deployments, jobs, temporal } = context;
  const deployment = await deployments.find(id);
  const { action } = command;
  if (deployment.finishedAt || ENDED.has(deployment.state))
    throw new ServiceError('deployment_conflict', `The rollout ${id} is over already: ${deployment.state}.`);
  refuseImpossible(id, action, deployment.strategy, deployment.settings as RolloutSettings, caller.role);
  if (command.action === 'promote' && !command.override_freeze) await refuseFrozen(database, deployment.model);
  const sender = { by: caller.subject, ...(note === undefined ? {} : { note }) };
  if (action === 'abort') {
    // The cancellation of a workflow carries no name.
    const noted = { key: `abort-${correlationId}`, action, ...sender, at: new Date().toISOString() };
    await noteCommands({ deploymentId: id, commands: [noted] }, { database });
    try {
      return await cancelJob(deployment.jobId, { jobs, temporal });
    } catch (error) {
      const refused = 'The workflow could not be told.';
      const failed = { ...noted, key: `${noted.key}-refused`, refused, at: new Date().toISOString() };
      await noteCommands({ deploymentId: id, commands: [failed] }, { database });
      throw error;
    }
  }
  const sent = command.action === 'promote' ? { ...sender, override_freeze: command.override_freeze } : sender;
  const parts = command.action === 'set_ladder' ? [command.steps, sent] : [sent];
  try {
    await withTemporal(temporal, () => temporal.workflow.getHandle(deployment.jobId).signal(action, ...parts));
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new ServiceError(
      'deployment_conflict',
      `The workflow of the rollout ${id} is not there: it has not begun, or has ended.`,
    );
  }
}

const ENDED = new Set(['promoted', 'rolled_back', 'aborted', 'failed']);

function refuseImpossible(
  id: string,
  action: RolloutCommand['action'],
  strategy: string,
  settings: RolloutSettings,
  role: Role,
): void {
  const isDecision = action === 'promote' || action === 'approve';
  if ((isDecision && strategy === 'immediate') || (action === 'set_ladder' && strategy !== 'canary'))
    throw new ServiceError(
      'deployment_conflict',
      `The rollout ${id} has the strategy ${strategy}: there is no step that could be changed.`,
    );
  if (action === 'approve' && !settings.approval && settings.then !== 'ask')
    throw new ServiceError(
      'deployment_conflict',
      `The rollout ${id} waits for nobody's approval: its evidence decides. It can be promoted, paused or aborted.`,
    );
  const needed = settings.approval_role ?? 'operator';
  if (isDecision && !includesRole(role, needed))
    throw new ServiceError(
      'role_insufficient',
      `The rollout ${id} needs the role ${needed} to ${action} it, and the caller has ${role}.`,
    );
}
