import type { RepairState } from '../../core/schemas/repair.js';
import type { Database, Prisma } from '../database/database.js';
import type { HoldoutStep } from '../deployments/test-holdout.js';
import { noteStep } from './note-step.js';

const SENTENCES: Record<Exclude<RepairState, 'running'>, string> = {
  repaired: 'The new version answers.',
  not_better:
    'Training anew does not help, so that the former version goes on answering and no repair begins by itself for a while.',
  rolled_back: 'The new version was taken back, and the former one goes on answering.',
  failed: 'The repair failed, and the former version goes on answering.',
  cancelled: 'The repair was cancelled, and the former version goes on answering.',
};

export interface RepairEnd {
  repairId: string;
  state: Exclude<RepairState, 'running'>;
  reason: string;
}

/** Writes the end of a repair down. Repeatable: the first end stands. */
export async function closeRepair({ repairId, state, reason }: RepairEnd, { prisma }: Database) {
  await prisma.$transaction(async (transaction) => {
    const { count } = await transaction.repair.updateMany({
      where: { id: repairId, state: 'running' },
      data: { state, reason, finishedAt: new Date() },
    });
    if (count > 0) await noteStep(transaction, repairId, 'closed', SENTENCES[state], { state, reason });
  });
  const row = await prisma.repair.findUniqueOrThrow({ where: { id: repairId } });
  return {
    repair_id: repairId,
    state: row.state as RepairState,
    reason: row.reason,
    former_version: row.formerVersion,
    new_version: row.newVersion,
  };
}

/** Writes down how the rollout of the new version ended. */
export async function noteRollout(
  { repairId, deploymentId }: { repairId: string; deploymentId: string },
  { prisma }: Database,
): Promise<{ state: string; reason: string | null }> {
  const { state, reason, steps } = await prisma.deployment.findUniqueOrThrow({ where: { id: deploymentId } });
  const told = state === 'promoted' ? 'has all the traffic now' : `did not get the traffic (${state})`;
  const summary = `${beforeTraffic(steps)}In its rollout ${deploymentId} the new version ${told}: ${reason ?? 'no reason was given.'}`;
  await noteStep(prisma, repairId, 'rolled_out', summary, { deployment_id: deploymentId, state });
  return { state, reason };
}

/** A version that is right about the world as it is now is often wrong about that of before; who reads the verdict of that test wonders. */
function beforeTraffic(steps: Prisma.JsonValue): string {
  const holdout = (steps as unknown as { step: string; detail: HoldoutStep }[]).find(({ step }) => step === 'holdout');
  const isLeft = holdout?.detail.tested === true && holdout.detail.left_to_traffic;
  return isLeft ? `Before any traffic: ${holdout.detail.reason} ` : '';
}

/** Ends the repair of a job whose workflow was ended from outside and can do so no longer. Repeatable. */
export async function abandonRepairOf(jobId: string, { database }: { database: Database }): Promise<void> {
  const row = await database.prisma.repair.findFirst({ where: { jobId, state: 'running' } });
  if (!row) return;
  const reason = 'The workflow of the repair was ended from outside.';
  await closeRepair({ repairId: row.id, state: 'cancelled', reason }, database);
}
