import type { Database } from '../database/database.js';

/** Writes down whether a rollout goes on by itself (`running`), is held by a person (`paused`) or waits for one (`holding`). Repeatable. */
export async function noteDeployment(
  { deploymentId, state, reason }: { deploymentId: string; state: 'running' | 'paused' | 'holding'; reason?: string },
  { database }: { database: Database },
): Promise<void> {
  await database.prisma.deployment.updateMany({
    where: { id: deploymentId, finishedAt: null },
    data: { state, reason: reason ?? null },
  });
}
