import type { Database } from '../database/database.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';

export interface ExperimentResult {
  experiment_id: string;
  model: string;
  state: 'concluded' | 'stopped' | 'failed';
  decision: string | null;
  winner: string | null;
  /** The version of the winner. */
  winner_version: string | null;
  reason: string;
}

/** Ends an experiment: its entities are answered by the deployed version again. Repeatable. */
export async function closeExperiment(
  input: { experimentId: string; state: ExperimentResult['state']; reason: string; decision?: string; winner?: string },
  { database }: { database: Database },
): Promise<ExperimentResult> {
  const { experimentId: id, state, reason, decision = null, winner = null } = input;
  const { prisma } = database;
  await prisma.$transaction(async (transaction) => {
    const { count } = await transaction.experiment.updateMany({
      where: { id, finishedAt: null },
      data: { state, reason, finishedAt: new Date() },
    });
    if (count === 0) return;
    const { model } = await transaction.experiment.findUniqueOrThrow({ where: { id } });
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
  });
  const row = await prisma.experiment.findUniqueOrThrow({ where: { id } });
  const arms = row.arms as unknown as { arm: string; version: string }[];
  return {
    experiment_id: id,
    model: row.model,
    state: row.state as ExperimentResult['state'],
    decision,
    // One that a person has stopped meanwhile has none.
    winner: row.state === 'concluded' ? winner : null,
    winner_version: (row.state === 'concluded' && arms.find(({ arm }) => arm === winner)?.version) || null,
    reason: row.reason ?? reason,
  };
}

/** Ends the experiment of a job whose workflow was ended from outside and can do so no longer. Repeatable. */
export async function stopExperimentOf(jobId: string, context: { database: Database }): Promise<void> {
  const open = await context.database.prisma.experiment.findFirst({ where: { jobId, finishedAt: null } });
  if (!open) return;
  const reason = 'The workflow of the experiment was ended from outside.';
  await closeExperiment({ experimentId: open.id, state: 'stopped', reason }, context);
}
