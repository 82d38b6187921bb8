import { judgeRollout } from '../../core/decisions/judge-rollout.js';
import type { RolloutEvidence, RolloutVerdict } from '../../core/decisions/rollout-evidence.js';
import { DEFAULT_ROLLOUT_RULE, type RolloutRule } from '../../core/decisions/rollout-rule.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { collectCanary, collectShadow, findSlowUs, type EvidenceRequest } from './collect-evidence.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { OpenDeployment, RolloutSettings } from './open-deployment.js';
import { measuredHeads } from './rollout-measures.js';
import type { Trial } from './set-trial.js';
import { rolloutUnderWay } from './lock-traffic.js';

export interface EvidenceWindow extends Trial {
  /** Counts the windows of the rollout, from 1. */
  window: number;
  /** Windows that have ended in this step, this one included. */
  windowsInStep: number;
  /** Which step of the ladder, from 0. */
  step: number;
  isLastStep: boolean;
  /** The share that a promotion leads to, in percent. */
  nextShare: number;
}

export interface WindowVerdict {
  verdict: RolloutVerdict['verdict'];
  reason: string;
}

/**
 * Sums up what a rollout has shown until now, judges it, and keeps both with the rule. The verdict is a function of what is kept:
 * a window that was judged already has its verdict, whatever came in since.
 */
export async function evaluateWindow(
  input: OpenDeployment & EvidenceWindow,
  { database, failPoint }: { database: Database; failPoint: FailPoint },
): Promise<WindowVerdict> {
  const { deploymentId, window } = input;
  const { prisma } = database;
  const deployment = await rolloutUnderWay(prisma, deploymentId);
  const known = await prisma.deploymentEvidence.findUnique({
    where: { deploymentId_window: { deploymentId, window } },
  });
  if (known) return inShort(known.verdict as unknown as RolloutVerdict);
  const settings = deployment.settings as RolloutSettings;
  const evidence = await collect(input, database, deployment);
  const verdict = await keepVerdict(database, input, window, evidence, ruleOf(settings));
  failPoint('deploy:after-evidence');
  return inShort(verdict);
}

const inShort = ({ verdict, reason }: RolloutVerdict): WindowVerdict => ({ verdict, reason });

/** Judges a window once; of two attempts that race the first one's verdict stands. */
export async function keepVerdict(
  { prisma }: Database,
  { deploymentId }: OpenDeployment,
  window: number,
  evidence: RolloutEvidence,
  rule: RolloutRule,
): Promise<RolloutVerdict> {
  const verdict = judgeRollout(evidence, rule);
  await prisma.deploymentEvidence.createMany({
    data: [{ deploymentId, window, evidence: jsonOf(evidence), rule: jsonOf(rule), verdict: jsonOf(verdict) }],
    skipDuplicates: true,
  });
  const where = { deploymentId_window: { deploymentId, window } };
  return (await prisma.deploymentEvidence.findUniqueOrThrow({ where })).verdict as unknown as RolloutVerdict;
}

/** The workflow counts the time and not the windows of a step, which grow with its age. */
const ANY_NUMBER_OF_WINDOWS = 1_000_000;

function ruleOf({ min_samples: leastRequests, pairs: leastPairs }: RolloutSettings): RolloutRule {
  return {
    ...DEFAULT_ROLLOUT_RULE,
    mostWindows: ANY_NUMBER_OF_WINDOWS,
    ...(leastRequests === undefined ? {} : { leastRequests }),
    ...(leastPairs === undefined ? {} : { leastPairs }),
  };
}

async function collect(
  {
    deploymentId,
    model,
    version,
    phase,
    share,
    step,
    isLastStep,
    nextShare,
    windowsInStep,
  }: OpenDeployment & EvidenceWindow,
  database: Database,
  { createdAt: since, slowUs, ...deployment }: Prisma.DeploymentGetPayload<object>,
): Promise<RolloutEvidence> {
  const { prisma } = database;
  const { kind, signature } = await prisma.modelVersion.findUniqueOrThrow({
    where: { model_version: { model, version } },
  });
  const heads = measuredHeads(kind, (signature as unknown as { heads: readonly SignatureHead[] }).heads);
  const settings = deployment.settings as RolloutSettings;
  const request: EvidenceRequest = { deploymentId, since, heads, settings, slowUs };
  request.slowUs ??= await settleSlowUs(database, request);
  const seconds = (Date.now() - since.getTime()) / 1000;
  if (phase === 'shadow')
    return {
      strategy: 'shadow',
      windows: windowsInStep,
      seconds,
      nextShare,
      ...(await collectShadow(database, request)),
    };
  const shown = await collectCanary(database, request);
  return { strategy: 'canary', step, share, isLastStep, nextShare, windows: windowsInStep, seconds, ...shown };
}

/** What counts as slow is said once, so that later evidence is held to the same. */
async function settleSlowUs(database: Database, request: EvidenceRequest): Promise<number | null> {
  const slowUs = await findSlowUs(database, request, request.settings.slow_ms ?? 0);
  if (slowUs === undefined) return null;
  const where = { id: request.deploymentId };
  await database.prisma.deployment.updateMany({ where: { ...where, slowUs: null }, data: { slowUs } });
  return (await database.prisma.deployment.findUniqueOrThrow({ where })).slowUs;
}
