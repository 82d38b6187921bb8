import { contextKeys, type AdaptiveAllocation, type OpenedBatch } from '../../core/decisions/allocation.js';
import {
  DEFAULT_EXPERIMENT_RULE,
  type ExperimentEvidence,
  type ExperimentRule,
  type ExperimentVerdict,
} from '../../core/decisions/experiment-evidence.js';
import { ServiceError } from '../../core/errors.js';
import { judgeExperiment } from '../../core/decisions/judge-experiment.js';
import { thompsonChances } from '../../core/decisions/thompson-chances.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import { ROUTES_CHANNEL } from '../deployments/switch-route.js';
import { collectExperiment } from './collect-experiment.js';
import type { ExperimentArmRoute } from './experiment-arms.js';
import type { CheckedExperiment, OpenExperiment } from './open-experiment.js';

export interface ExperimentWindowVerdict {
  decision: ExperimentVerdict['decision'];
  winner?: string;
  reason: string;
}

/**
 * Sums up what an experiment has shown until now, judges it, and keeps both with the rule; arms that do harm are retired and the next batch
 * of an adaptive allocation is opened in the same transaction. A window that was judged already has its verdict. Repeatable.
 */
export async function evaluateExperiment(
  { experimentId, window }: OpenExperiment & { window: number },
  { database }: { database: Database },
): Promise<ExperimentWindowVerdict> {
  const { prisma } = database;
  const key = { experimentId_window: { experimentId, window } };
  const known = await prisma.experimentEvidence.findUnique({ where: key });
  if (known) return inShort(known.verdict as unknown as ExperimentVerdict);
  const experiment = await prisma.experiment.findUniqueOrThrow({ where: { id: experimentId } });
  // A workflow that was away may not know that a person has stopped it.
  if (experiment.finishedAt)
    throw new ServiceError(
      'experiment_conflict',
      `The experiment ${experimentId} is over already: ${experiment.state}.`,
    );
  const request = experiment.settings as unknown as CheckedExperiment['request'];
  const arms = experiment.arms as unknown as ExperimentArmRoute[];
  const evidence = await collect(database, experiment, arms, request);
  const rule: ExperimentRule = {
    ...DEFAULT_EXPERIMENT_RULE,
    leastDays: request.min_seconds / 86_400,
    mostDays: request.max_seconds / 86_400,
  };
  const verdict = judgeExperiment(evidence, rule);
  const kept = await prisma.$transaction(async (transaction) => {
    // Of two that judge the same window at once the second one finds what the first one kept.
    const { count } = await transaction.experimentEvidence.createMany({
      data: [{ experimentId, window, evidence: jsonOf(evidence), rule: jsonOf(rule), verdict: jsonOf(verdict) }],
      skipDuplicates: true,
    });
    if (count > 0) await applyVerdict(transaction, { experiment, arms, request, evidence, verdict, window });
    return (await transaction.experimentEvidence.findUniqueOrThrow({ where: key })).verdict;
  });
  return inShort(kept as unknown as ExperimentVerdict);
}

async function applyVerdict(
  transaction: Prisma.TransactionClient,
  about: {
    experiment: Prisma.ExperimentGetPayload<object>;
    arms: readonly ExperimentArmRoute[];
    request: CheckedExperiment['request'];
    evidence: ExperimentEvidence;
    verdict: ExperimentVerdict;
    window: number;
  },
): Promise<void> {
  const { experiment, arms, verdict } = about;
  const found = new Map(verdict.arms.map((finding) => [finding.arm, finding]));
  const after = arms.map((arm): ExperimentArmRoute => {
    const finding = found.get(arm.arm);
    return arm.retired || finding?.decision !== 'harmful' ? arm : { ...arm, retired: true, finding };
  });
  const batch = verdict.decision === 'running' ? nextBatch({ ...about, arms: after }) : undefined;
  const allocation = experiment.allocation as unknown as AdaptiveAllocation | null;
  await transaction.experiment.updateMany({
    where: { id: experiment.id, state: 'running' },
    data: {
      arms: jsonOf(after),
      verdict: jsonOf(verdict),
      ...(batch && allocation ? { allocation: jsonOf({ ...allocation, opened: [...allocation.opened, batch] }) } : {}),
    },
  });
  if (batch || after.some(({ retired }, at) => retired !== arms[at]!.retired))
    await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${experiment.model})`;
}

/** The next part of the entities, with chances made of all that was seen before it; undefined when it is not its time. */
function nextBatch({
  experiment,
  arms,
  request,
  evidence,
  window,
}: Parameters<typeof applyVerdict>[1]): OpenedBatch | undefined {
  const allocation = experiment.allocation as unknown as AdaptiveAllocation | null;
  if (!allocation || request.allocation.method === 'fixed') return undefined;
  const { opened, batches, floor, context } = allocation;
  const dueMs = Date.parse(opened.at(-1)!.at) + (request.allocation.refresh_seconds ?? 0) * 1000;
  if (opened.length >= batches || Date.now() < dueMs) return undefined;
  const shown = arms.map(({ arm, finding }) => {
    const found = [evidence.control, ...evidence.arms].find((one) => one.arm === arm)!;
    return finding ? { ...found, settled: finding } : found;
  });
  const { kind, better } = request;
  const chances = contextKeys(context).map((key) => [
    key,
    thompsonChances(shown, { kind, better, floor, context: key }),
  ]);
  return { window, at: new Date().toISOString(), chances: Object.fromEntries(chances) as OpenedBatch['chances'] };
}

const inShort = ({ decision, winner, reason }: ExperimentVerdict): ExperimentWindowVerdict => ({
  decision,
  winner,
  reason,
});

async function collect(
  database: Database,
  { id: experimentId, model, createdAt: since, control, allocation }: Prisma.ExperimentGetPayload<object>,
  arms: readonly ExperimentArmRoute[],
  request: CheckedExperiment['request'],
): Promise<ExperimentEvidence> {
  const { metric, kind, better } = request;
  const version = arms[0]!.version;
  const { signature } = await database.prisma.modelVersion.findUniqueOrThrow({
    where: { model_version: { model, version } },
  });
  const { heads } = signature as unknown as { heads: readonly SignatureHead[] };
  const shown = await collectExperiment(database, {
    experimentId,
    model,
    since,
    arms,
    metric,
    kind,
    heads,
    covariateDays: request.covariate_days,
    allocation: allocation as unknown as AdaptiveAllocation | null,
  });
  const settledOf = (name: string) => arms.find(({ arm }) => arm === name)?.finding;
  return {
    metric,
    kind,
    better,
    minimumEffect: request.minimum_effect ?? 0,
    control: shown.arms.find(({ arm }) => arm === control)!,
    arms: shown.arms
      .filter(({ arm }) => arm !== control)
      .map((arm) => {
        const settled = settledOf(arm.arm);
        return settled ? { ...arm, settled } : arm;
      }),
    crossed: shown.crossed,
    days: (Date.now() - since.getTime()) / 86_400_000,
  };
}
