import { SANDBOX_MODEL } from '../../core/names.js';
import type { Database } from '../database/database.js';
import { abortDeploymentOf } from '../deployments/close-deployment.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';
import type { DrillTrial } from './judge-trial.js';
import type { ReplayResult } from './replay-log.js';

export interface DrillResult {
  drill_id: string;
  kind: 'rollout' | 'aa_replay';
  model: string;
  state: 'passed' | 'failed' | 'cancelled';
  reason: string;
  trials: DrillTrial[];
  result: object | null;
}

/** Ends a drill with what it found, and leaves nothing of it in the sandbox. Repeatable. */
export async function closeDrill(
  {
    drillId: id,
    result,
    end,
  }: { drillId: string; result?: ReplayResult; end?: { state: 'failed' | 'cancelled'; reason: string } },
  { database }: { database: Database },
): Promise<DrillResult> {
  const { prisma } = database;
  const row = await prisma.drill.findUniqueOrThrow({ where: { id } });
  const trials = row.trials as unknown as DrillTrial[];
  if (!row.finishedAt) {
    if (row.kind === 'rollout') await clearSandbox(database);
    const found = end ?? (result ? judgeReplay(result) : judgeTrials(trials));
    const summary = result ?? (row.kind === 'rollout' ? sumUpTrials(trials) : undefined);
    await prisma.drill.updateMany({
      where: { id, finishedAt: null },
      data: { ...found, ...(summary ? { result: { ...summary } as object } : {}), finishedAt: new Date() },
    });
  }
  const { kind, model, state, reason, result: kept } = await prisma.drill.findUniqueOrThrow({ where: { id } });
  return { drill_id: id, kind, model, state, reason, trials, result: kept } as DrillResult;
}

function judgeTrials(trials: readonly DrillTrial[]): { state: 'passed' | 'failed'; reason: string } {
  const missed = trials.filter(({ passed }) => !passed);
  const name = ({ fault, strategy }: DrillTrial) =>
    fault === 'none' ? `the good one in ${strategy}` : `${fault} in ${strategy}`;
  if (missed.length === 0) return { state: 'passed', reason: `All ${trials.length} versions ended as they should.` };
  const told = missed.map((trial) =>
    trial.fault === 'none'
      ? `${name(trial)} was not left alone: ${trial.reason ?? trial.state}`
      : `${name(trial)} was not taken back: it ended as ${trial.state}`,
  );
  return {
    state: 'failed',
    reason: `${missed.length} of ${trials.length} versions did not end as they should: ${told.join('; ')}.`,
  };
}

const largest = (values: readonly (number | null)[]) => {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? Math.max(...known) : null;
};

function sumUpTrials(trials: readonly DrillTrial[]) {
  const bad = trials.filter(({ fault }) => fault !== 'none');
  return {
    most_seconds_to_detection: largest(bad.map((trial) => trial.seconds_to_detection)),
    most_seconds_to_safety: largest(bad.map((trial) => trial.seconds_to_safety)),
    requests: trials.reduce((sum, { requests }) => sum + requests, 0),
    failed_requests: trials.reduce((sum, trial) => sum + trial.failed_requests, 0),
    /** Requests that a bad version answered to a caller. */
    affected_requests: bad.reduce((sum, { answered }) => sum + answered, 0),
  };
}

/** A rate that is surely above what was promised is a failure; one that is above it by chance is not. */
function judgeReplay({ promised, false_alarms: alarms, replays }: ReplayResult): {
  state: 'passed' | 'failed';
  reason: string;
} {
  const percent = (share: number) => `${Number((share * 100).toFixed(2))} %`;
  const found = `${alarms.count} of ${replays} splits without a difference would have been rolled back (${percent(alarms.rate)}, between ${percent(alarms.lower)} and ${percent(alarms.upper)}; promised are ${percent(promised)})`;
  return alarms.lower > promised
    ? { state: 'failed', reason: `The false alarm rate is above what is promised: ${found}.` }
    : { state: 'passed', reason: `${found}.` };
}

/** The sandbox serves nothing between drills, and its predictions are nobody's. */
async function clearSandbox(database: Database): Promise<void> {
  const { prisma, pool } = database;
  const open = await prisma.deployment.findMany({ where: { model: SANDBOX_MODEL, finishedAt: null } });
  for (const { jobId } of open) await abortDeploymentOf(jobId, { database });
  await prisma.$transaction(async (transaction) => {
    await transaction.route.deleteMany({ where: { model: SANDBOX_MODEL } });
    await transaction.modelAlias.deleteMany({ where: { model: SANDBOX_MODEL } });
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${SANDBOX_MODEL})`;
  });
  await pool.query(
    'DELETE FROM prediction_outcomes WHERE prediction_id IN (SELECT id FROM predictions WHERE model = $1)',
    [SANDBOX_MODEL],
  );
  await pool.query('DELETE FROM predictions WHERE model = $1', [SANDBOX_MODEL]);
}

/** Ends the drill of a job whose workflow was ended from outside and can do so no longer. Repeatable. */
export async function abandonDrillOf(jobId: string, context: { database: Database }): Promise<void> {
  const open = await context.database.prisma.drill.findFirst({ where: { jobId, finishedAt: null } });
  if (!open) return;
  const end = { state: 'cancelled' as const, reason: 'The workflow of the drill was ended from outside.' };
  await closeDrill({ drillId: open.id, end }, context);
}
