import {
  DEFAULT_EXPERIMENT_RULE,
  type ExperimentEvidence,
  type ExperimentRule,
  type ExperimentVerdict,
} from '../../core/decisions/experiment-evidence.js';
import { judgeExperiment } from '../../core/decisions/judge-experiment.js';
import type { SignatureHead } from '../artifacts/model-bundle.js';
import type { Database } from '../database/database.js';
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
 * Sums up what an experiment has shown until now, judges it, and keeps both with the rule; arms that do harm are retired in the same
 * transaction. A window that was judged already has its verdict. Repeatable.
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
  const { model, createdAt: since, control } = experiment;
  const request = experiment.settings as unknown as CheckedExperiment['request'];
  const arms = experiment.arms as unknown as ExperimentArmRoute[];
  const evidence = await collect(database, { experimentId, model, since, arms, control, request });
  const rule: ExperimentRule = {
    ...DEFAULT_EXPERIMENT_RULE,
    leastDays: request.min_seconds / 86_400,
    mostDays: request.max_seconds / 86_400,
  };
  const verdict = judgeExperiment(evidence, rule);
  const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as object;
  const kept = await prisma.$transaction(async (transaction) => {
    await transaction.experimentEvidence.createMany({
      data: [{ experimentId, window, evidence: json(evidence), rule: json(rule), verdict: json(verdict) }],
      skipDuplicates: true,
    });
    const row = await transaction.experimentEvidence.findUniqueOrThrow({ where: key });
    const decided = row.verdict as unknown as ExperimentVerdict;
    const harmful = decided.arms.filter(({ decision }) => decision === 'harmful').map(({ arm }) => arm);
    const after = arms.map((arm) => ({ ...arm, retired: arm.retired || harmful.includes(arm.arm) }));
    await transaction.experiment.updateMany({
      where: { id: experimentId, state: 'running' },
      data: { arms: after, verdict: json(decided) },
    });
    if (after.some(({ retired }, at) => retired !== arms[at]!.retired))
      await transaction.$executeRaw`SELECT pg_notify(${ROUTES_CHANNEL}, ${model})`;
    return decided;
  });
  return inShort(kept);
}

const inShort = ({ decision, winner, reason }: ExperimentVerdict): ExperimentWindowVerdict => ({
  decision,
  winner,
  reason,
});

async function collect(
  database: Database,
  about: {
    experimentId: string;
    model: string;
    since: Date;
    arms: readonly ExperimentArmRoute[];
    control: string;
    request: CheckedExperiment['request'];
  },
): Promise<ExperimentEvidence> {
  const { arms, request, control, model, since } = about;
  const { metric, kind, better } = request;
  const version = arms[0]!.version;
  const { signature } = await database.prisma.modelVersion.findUniqueOrThrow({
    where: { model_version: { model, version } },
  });
  const { heads } = signature as unknown as { heads: readonly SignatureHead[] };
  const shown = await collectExperiment(database, {
    ...about,
    metric,
    kind,
    heads,
    covariateDays: request.covariate_days,
  });
  return {
    metric,
    kind,
    better,
    minimumEffect: request.minimum_effect ?? 0,
    control: shown.arms.find(({ arm }) => arm === control)!,
    arms: shown.arms.filter(({ arm }) => arm !== control),
    crossed: shown.crossed,
    days: (Date.now() - since.getTime()) / 86_400_000,
  };
}
