import { WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ServiceError } from '../../core/errors.js';
import type { SweepBudget } from '../../core/schemas/search.js';
import { withTemporal } from '../pipelines/temporal-client.js';

/** What a person may ask of a sweep under way; the names are those of the workflow's updates. */
export type SweepCommand =
  | { name: 'pause_sweep' }
  | { name: 'resume_sweep' }
  | { name: 'stop_sweep' }
  | { name: 'change_budget'; budget: SweepBudget };

/** The workflow writes a row before it answers. */
const DEADLINE_MS = 8000;

/**
 * Tells the workflow of a sweep, which answers once it is written down. Repeatable.
 * @throws ServiceError `sweep_conflict` for one that is over or cannot do it, or `dependency_unavailable`
 */
export async function controlSweep(
  id: string,
  command: SweepCommand,
  { temporal }: { temporal: Client },
): Promise<void> {
  const handle = temporal.workflow.getHandle(id);
  const send = () =>
    command.name === 'change_budget'
      ? handle.executeUpdate<void, [SweepBudget]>(command.name, { args: [command.budget] })
      : handle.executeUpdate<void, []>(command.name);
  try {
    await withTemporal(temporal, send, DEADLINE_MS);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError)
      throw new ServiceError('sweep_conflict', `The sweep ${id} is over already.`);
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const cause = error.cause instanceof ApplicationFailure ? error.cause : undefined;
    const code = cause?.type === 'request_invalid' ? 'request_invalid' : 'sweep_conflict';
    throw new ServiceError(code, cause?.message ?? `The sweep ${id} is over already.`);
  }
}
