import type { PairedEvidence, RolloutVerdict } from '../../core/decisions/rollout-evidence.js';
import { HOLDOUT_RULE } from '../../core/decisions/rollout-rule.js';
import type { Database } from '../database/database.js';
import { compareOnHoldout, NotTestable, OF_BEFORE } from './compare-on-holdout.js';
import { keepVerdict } from './evaluate-window.js';
import type { OpenDeployment, RolloutSettings } from './open-deployment.js';
import { recordStep } from './switch-route.js';

/** The test stands before all windows. */
const HOLDOUT_WINDOW = 0;

export interface HoldoutResult {
  /** False when the rollout ends here, before the version has had any traffic. */
  mayGoOn: boolean;
  reason: string;
}

/** What the rollout keeps of the test among its steps. */
export type HoldoutStep =
  | { tested: false; reason: string }
  | {
      tested: true;
      rows: number;
      verdict: RolloutVerdict['verdict'];
      /** Why the rollout goes on, or ends here. */
      reason: string;
      /** It does worse by the rows of before alone: whether the world has changed is for live traffic to tell. */
      left_to_traffic: boolean;
    };

/**
 * Compares the version with the present one on labelled rows that neither has learnt from, before it gets any traffic, and keeps evidence
 * and verdict as window 0 of the rollout. The rows are those that were held out of the one and those that were held out of the other: data that
 * went wrong upstream speak for the version that learnt from them, and only the older rows tell. Repeatable.
 */
export async function testHoldout(
  deployment: OpenDeployment,
  context: { database: Database; modelStoragePath: string; signal: AbortSignal },
): Promise<HoldoutResult> {
  const { prisma } = context.database;
  const { deploymentId, holdout: mode } = deployment;
  if (mode === 'off') return { mayGoOn: true, reason: 'Not asked for.' };
  const key = { deploymentId_window: { deploymentId, window: HOLDOUT_WINDOW } };
  const known = await prisma.deploymentEvidence.findUnique({ where: key });
  // A process that died after the verdict has left the step to the next one.
  if (known)
    return note(deployment, known.verdict as unknown as RolloutVerdict, known.evidence as unknown as Tested, prisma);
  const evidence = await collect(deployment, context);
  if (evidence instanceof NotTestable) {
    const { reason } = evidence;
    await recordStep(prisma, deployment, 'holdout', { tested: false, reason } satisfies HoldoutStep);
    const mayGoOn = mode === 'stop_on_harm';
    return { mayGoOn, reason: mayGoOn ? reason : `The holdout test must be passed, and cannot be made: ${reason}` };
  }
  const verdict = await keepVerdict(context.database, deployment, HOLDOUT_WINDOW, evidence, HOLDOUT_RULE);
  return note(deployment, verdict, evidence, prisma);
}

type Tested = Pick<PairedEvidence, 'pairs'>;

async function note(
  deployment: OpenDeployment,
  verdict: RolloutVerdict,
  { pairs: rows }: Tested,
  prisma: Database['prisma'],
): Promise<HoldoutResult> {
  const result = judgeHoldout(deployment, verdict);
  const { reason, isLeftToTraffic } = result;
  const step: HoldoutStep = {
    tested: true,
    rows,
    verdict: verdict.verdict,
    reason,
    left_to_traffic: isLeftToTraffic,
  };
  await recordStep(prisma, deployment, 'holdout', step);
  return { mayGoOn: result.mayGoOn, reason };
}

/** What follows from the verdict on held-out rows. */
export function judgeHoldout(
  { holdout: mode, plan }: Pick<OpenDeployment, 'holdout'> & { plan: Pick<OpenDeployment['plan'], 'strategy'> },
  { verdict, reason, findings }: RolloutVerdict,
): HoldoutResult & { isLeftToTraffic: boolean } {
  const harmful = findings.filter(({ finding }) => finding === 'harmful');
  // Rows of before may be of a world that is gone: where live traffic will be looked at anyway, that decides.
  const areOfBefore = harmful.every(({ measure }) => measure.includes(OF_BEFORE));
  const isLeftToTraffic =
    verdict === 'ROLLBACK' && areOfBefore && plan.strategy !== 'immediate' && mode === 'stop_on_harm';
  if (isLeftToTraffic)
    return {
      mayGoOn: true,
      isLeftToTraffic,
      reason: `It does worse on rows that were held out of the present version, and not on those held out of its own: ${reason}${LEFT}`,
    };
  if (verdict === 'ROLLBACK')
    return {
      mayGoOn: false,
      isLeftToTraffic,
      reason: `It does worse on rows that neither version has learnt from: ${reason}${areOfBefore ? ADVICE : ''}`,
    };
  if (verdict === 'PROMOTE' || mode === 'stop_on_harm') return { mayGoOn: true, isLeftToTraffic, reason };
  return { mayGoOn: false, isLeftToTraffic, reason: `The holdout test must be passed, and was not: ${reason}` };
}

const LEFT = ' The older rows may be of a world that is gone, so that live traffic decides.';
const ADVICE = ' If the world has changed since, let a canary tell by live traffic.';

async function collect(
  { deploymentId, model, version, previousVersion }: OpenDeployment,
  context: { database: Database; modelStoragePath: string; signal: AbortSignal },
) {
  const { prisma } = context.database;
  if (previousVersion === undefined) return new NotTestable('There is no present version to compare with.');
  if (previousVersion === version) return new NotTestable('It is the present version itself.');
  const find = (one: string) =>
    prisma.modelVersion.findUniqueOrThrow({ where: { model_version: { model, version: one } } });
  const { settings } = await prisma.deployment.findUniqueOrThrow({ where: { id: deploymentId } });
  return compareOnHoldout(await find(version), await find(previousVersion), {
    ...context,
    settings: settings as RolloutSettings,
  });
}
