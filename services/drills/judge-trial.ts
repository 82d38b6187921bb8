import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../../core/schemas/drill.js';
import type { Database } from '../database/database.js';
import type { TrafficSeen } from './drive-traffic.js';
import type { OpenDrill } from './open-drill.js';

/** One version of a drill in one strategy. */
export interface TrialInput {
  drill: OpenDrill;
  /** `none` is the good version's twin, which must be left alone. */
  fault: Fault | 'none';
  strategy: 'shadow' | 'canary';
  version: string;
  deploymentId: string;
  traffic: TrafficSeen;
}

export interface DrillTrial {
  fault: Fault | 'none';
  strategy: 'shadow' | 'canary';
  version: string;
  deployment_id: string;
  /** How the rollout ended. */
  state: string;
  reason: string | null;
  /** Of a bad version: it was rolled back. Of the twin: it was not. */
  passed: boolean;
  /** The version's first answer, or first score in a shadow; the verdict; and the moment from which on all were answered by the good one. */
  first_answer_at: string | null;
  detected_at: string | null;
  safe_at: string | null;
  seconds_to_detection: number | null;
  seconds_to_safety: number | null;
  requests: number;
  failed_requests: number;
  /** Requests that the version answered, that the good one answered in its place, and that it only scored. */
  answered: number;
  stood_in: number;
  scored: number;
}

/** Rows of the log come to the database within about a second. */
const LOG_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;

interface Logged {
  first: Date | null;
  last: Date | null;
  answered: number;
  stood_in: number;
  scored: number;
}

/** Tells from the log and the evidence what became of a version, and keeps it with the drill. Repeatable. */
export async function judgeTrial(
  { drill, fault, strategy, version, deploymentId, traffic }: TrialInput,
  { database }: { database: Database },
): Promise<DrillTrial> {
  const { prisma } = database;
  const logged = await readLogged(database, deploymentId, traffic);
  const deployment = await prisma.deployment.findUniqueOrThrow({ where: { id: deploymentId } });
  const { state, reason } = deployment;
  const verdict = await prisma.deploymentEvidence.findFirst({
    where: { deploymentId, verdict: { path: ['verdict'], equals: 'ROLLBACK' } },
    orderBy: { window: 'asc' },
  });
  const isTakenBack = state === 'rolled_back' && verdict !== null;
  // The route changes with the end of the rollout; a process that heard of it late has answered after that.
  const safeMs = Math.max(deployment.finishedAt?.getTime() ?? 0, logged.last?.getTime() ?? 0);
  const since = (ms: number | undefined) =>
    ms === undefined || !logged.first ? null : Math.max(0, (ms - logged.first.getTime()) / 1000);
  const trial: DrillTrial = {
    fault,
    strategy,
    version,
    deployment_id: deploymentId,
    state,
    reason,
    passed: fault === 'none' ? verdict === null && state !== 'failed' : isTakenBack,
    first_answer_at: logged.first?.toISOString() ?? null,
    detected_at: verdict?.createdAt.toISOString() ?? null,
    safe_at: isTakenBack ? new Date(safeMs).toISOString() : null,
    seconds_to_detection: since(verdict?.createdAt.getTime()),
    seconds_to_safety: isTakenBack ? since(safeMs) : null,
    requests: traffic.requests,
    failed_requests: traffic.failed,
    answered: logged.answered,
    stood_in: logged.stood_in,
    scored: logged.scored,
  };
  await keepTrial(database, drill.drillId, trial);
  return trial;
}

/** Waits until the log has all that was answered. */
async function readLogged({ pool }: Database, deploymentId: string, { arms }: TrafficSeen): Promise<Logged> {
  const untilMs = performance.now() + LOG_WITHIN_MS;
  for (;;) {
    const { rows } = await pool.query<Logged & { all: number }>(
      `SELECT min(created_at) FILTER (WHERE arm IN ('candidate', 'shadow')) AS first,
         max(created_at) FILTER (WHERE arm IN ('candidate', 'shadow')) AS last,
         (count(*) FILTER (WHERE arm = 'candidate' AND error IS NULL))::float8 AS answered,
         (count(*) FILTER (WHERE arm = 'candidate' AND error IS NOT NULL))::float8 AS stood_in,
         (count(*) FILTER (WHERE arm = 'shadow'))::float8 AS scored,
         (count(*) FILTER (WHERE arm <> 'shadow'))::float8 AS all
       FROM predictions WHERE trial_id = $1`,
      [deploymentId],
    );
    const { all, ...logged } = rows[0]!;
    const expected = Object.entries(arms).reduce((sum, [arm, count]) => (arm === 'none' ? sum : sum + count), 0);
    if (all >= expected || performance.now() > untilMs) return logged;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Once for each version and strategy, however often it is judged. */
async function keepTrial({ prisma }: Database, id: string, trial: DrillTrial): Promise<void> {
  const line = JSON.stringify([trial]);
  const marker = JSON.stringify([{ deployment_id: trial.deployment_id }]);
  await prisma.$executeRaw`
    UPDATE drills SET trials = trials || ${line}::jsonb WHERE id = ${id} AND NOT trials @> ${marker}::jsonb`;
}
