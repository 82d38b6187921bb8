import { ServiceError } from '../../core/errors.js';
import { deployJobSchema } from '../../core/schemas/deploy-job.js';
import {
  canarySchema,
  shadowSchema,
  type CanarySettings,
  type HoldoutMode,
  type ShadowSettings,
} from '../../core/schemas/deployment.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
import { knownGuardrails, measuredHeads } from './rollout-measures.js';
import { parseRequest } from '../parse-request.js';
import { refuseUnready, type ReadinessContext } from '../registry/refuse-unready.js';
import { createVersionStore } from '../registry/version-store.js';

/** What the steps of a rollout hand on: references only. */
export interface OpenDeployment {
  deploymentId: string;
  jobId: string;
  model: string;
  version: string;
  digest: string;
  previousVersion?: string;
  /** What follows from the comparison on rows that neither version has learnt from. */
  holdout: HoldoutMode;
  /** Traffic may be changed although it is frozen. */
  overridesFreeze: boolean;
  plan: RolloutPlan;
}

/** What the workflow follows: which steps, and how often it looks at the evidence. */
export type RolloutPlan =
  | { strategy: 'immediate' }
  | ({ strategy: 'shadow'; windowSeconds: number; then: 'ask' | 'promote' } & Limits)
  | ({ strategy: 'canary'; windowSeconds: number; steps: number[]; approval: boolean } & Limits);

interface Limits {
  mostSeconds: number;
  askSeconds: number;
}

/** A step is judged by at least this many windows. */
export const WINDOWS_A_STEP = 3;

/**
 * Checks that a version may be deployed now.
 * @throws ServiceError `version_not_found`, or `deployment_conflict` for a version without skill.
 */
export async function checkDeployment(database: Database, request: unknown) {
  const wanted = parseRequest(deployJobSchema, request);
  const version = await createVersionStore(database).find(wanted.model, wanted.version);
  if (!version.promotable && !wanted.allow_unpromotable) {
    const { reason } = version.verdict as { reason: string };
    throw new ServiceError(
      'deployment_conflict',
      `${wanted.model} ${version.version} is not promotable. ${reason} Send "allow_unpromotable": true to deploy it all the same.`,
    );
  }
  const { heads } = version.signature as unknown as { heads: SignatureHead[] };
  refuseUnknownGuardrails(wanted, knownGuardrails(measuredHeads(version.kind, heads)));
  return { ...wanted, version };
}

/** A misspelt guardrail would guard nothing. @throws ServiceError `request_invalid` */
export function refuseUnknownGuardrails(
  { canary, shadow }: { canary?: Pick<CanarySettings, 'guardrails'>; shadow?: Pick<ShadowSettings, 'guardrails'> },
  known: readonly string[],
): void {
  const asked = Object.keys({ ...canary?.guardrails, ...shadow?.guardrails });
  const unmeasured = Object.keys(shadow?.guardrails ?? {}).filter((name) => name.startsWith('feedback:'));
  if (unmeasured.length > 0)
    throw new ServiceError(
      'request_invalid',
      'A shadow answers nobody, so that no feedback tells of it. A canary can be held to feedback.',
      unmeasured.map((name) => ({ path: `shadow.guardrails.${name}`, message: 'is not measured in a shadow' })),
    );
  const unknown = asked.filter((name) => !known.includes(name) && !name.startsWith('feedback:'));
  if (unknown.length === 0) return;
  throw new ServiceError(
    'request_invalid',
    `The version can be guarded by ${known.join(', ')} and by feedback: with the name of a figure.`,
    unknown.map((name) => ({
      path: `${canary ? 'canary' : 'shadow'}.guardrails.${name}`,
      message: 'is not measured for this version',
    })),
  );
}

/** The settings of a rollout with every default written out: what `GET /deployments/{id}` shows and the verdicts go by. */
export type RolloutSettings = Partial<CanarySettings & ShadowSettings>;

/** The settings of a request with every default written out. */
export function settingsOf(wanted: {
  strategy: string;
  canary?: CanarySettings;
  shadow?: ShadowSettings;
}): RolloutSettings {
  if (wanted.strategy === 'canary') return wanted.canary ?? canarySchema.parse({});
  return wanted.strategy === 'shadow' ? (wanted.shadow ?? shadowSchema.parse({})) : {};
}

function planOf(strategy: string, settings: RolloutSettings): RolloutPlan {
  const limits = { mostSeconds: settings.max_seconds ?? 0, askSeconds: settings.ask_seconds ?? 0 };
  if (strategy === 'canary')
    return {
      strategy,
      windowSeconds: (settings.step_seconds ?? 0) / WINDOWS_A_STEP,
      steps: (settings.steps ?? []).filter((step) => step < 100),
      approval: settings.approval ?? false,
      ...limits,
    };
  if (strategy === 'shadow')
    return { strategy, windowSeconds: settings.window_seconds ?? 0, then: settings.then ?? 'ask', ...limits };
  return { strategy: 'immediate' };
}

/**
 * What is tried beside another version needs that other version, and no experiment that draws on the same entities.
 * @throws ServiceError `deployment_conflict`
 */
export async function refuseImpossibleTrial(
  database: Database,
  { model, strategy, version }: { model: string; strategy: string; version: string },
): Promise<void> {
  const experiment = await database.prisma.experiment.findFirst({ where: { model, state: 'running' } });
  if (experiment)
    throw new ServiceError(
      'deployment_conflict',
      `The experiment ${experiment.id} of ${model} is under way, which ${strategy === 'immediate' ? 'another version for all' : `a ${strategy}`} would disturb. Wait for it, or stop it.`,
    );
  if (strategy === 'immediate') return;
  const route = await database.prisma.route.findUnique({ where: { model } });
  if (route && route.version !== version) return;
  throw new ServiceError(
    'deployment_conflict',
    route
      ? `${model} ${version} has all the traffic already: there is nothing to compare it with.`
      : `No version of ${model} is deployed that ${version} could be compared with. Deploy the first one with "strategy": "immediate".`,
  );
}

/** 409 when another rollout of the model is under way; the caller learns which. */
export async function refuseSecondRollout(database: Database, model: string, jobId?: string): Promise<void> {
  const active = await database.prisma.deployment.findFirst({
    where: {
      model,
      state: { in: ['pending', 'running', 'holding', 'paused'] },
      ...(jobId ? { jobId: { not: jobId } } : {}),
    },
  });
  if (active) {
    throw new ServiceError(
      'deployment_conflict',
      `The rollout ${active.id} of ${model} ${active.version} is under way. Wait for it, or cancel its job ${active.jobId}.`,
    );
  }
}

/** Writes the rollout down. The database allows one a model, so of two that race the second is refused. Repeatable. */
export async function openDeployment(
  input: { jobId: string; request: unknown },
  context: ReadinessContext & { database: Database },
): Promise<OpenDeployment> {
  const { database } = context;
  const { prisma } = database;
  const known = await prisma.deployment.findUnique({ where: { jobId: input.jobId } });
  const wanted = await checkDeployment(database, input.request);
  const { model, version, strategy, holdout } = wanted;
  const settings = settingsOf(wanted);
  const deployment = {
    plan: planOf(strategy, settings),
    deploymentId: deploymentIdOf(input.jobId),
    jobId: input.jobId,
    model,
    version: version.version,
    digest: version.digest,
    holdout,
    overridesFreeze: wanted.override_freeze,
  };
  if (known) return { ...deployment, previousVersion: known.previousVersion ?? undefined };
  await refuseUnready(version, context);
  await refuseSecondRollout(database, model, input.jobId);
  await refuseImpossibleTrial(database, { model, strategy, version: version.version });
  const route = await prisma.route.findUnique({ where: { model } });
  const previousVersion = route?.version;
  const data = {
    id: deployment.deploymentId,
    model,
    version: version.version,
    previousVersion,
    strategy,
    settings,
    state: 'running',
    jobId: input.jobId,
  };
  const { count } = await prisma.deployment.createMany({ data: [data], skipDuplicates: true });
  // Another rollout won the race for the model.
  if (count === 0) await refuseSecondRollout(database, model, input.jobId);
  return { ...deployment, previousVersion };
}

export function deploymentIdOf(jobId: string): string {
  return `dep-${jobId.replace(/^deploy-/, '')}`;
}

/** The job of a deployment, by the same rule. */
export function jobIdOf(deploymentId: string): string {
  return `deploy-${deploymentId.replace(/^dep-/, '')}`;
}
