import { judgeRetraining, type RetrainingVerdict } from '../../core/decisions/judge-retraining.js';
import { HOLDOUT_RULE } from '../../core/decisions/rollout-rule.js';
import type { Database } from '../database/database.js';
import { compareOnFreshRows, NotTestable } from '../deployments/compare-on-holdout.js';
import { noteStep } from './note-step.js';
import type { OpenRepair } from './open-repair.js';

/**
 * Holds the new version against the present one on rows of the world as it is now that neither has learnt from, and writes down what
 * came of it. Repeatable.
 */
export async function judgeRepair(
  { repair, version, from }: { repair: OpenRepair; version: string; from: 'log' | 'snapshot' },
  context: { database: Database; modelStoragePath: string; signal: AbortSignal },
): Promise<RetrainingVerdict> {
  const { prisma } = context.database;
  const { repairId, model, formerVersion } = repair;
  await prisma.repair.updateMany({ where: { id: repairId, newVersion: null }, data: { newVersion: version } });
  await noteStep(prisma, repairId, 'trained', `${version} was trained.`, { version });
  const known = await prisma.repairStep.findUnique({ where: { repairId_step: { repairId, step: 'judged' } } });
  if (known) return (known.detail as unknown as { verdict: RetrainingVerdict }).verdict;
  const find = (one: string) =>
    prisma.modelVersion.findUniqueOrThrow({ where: { model_version: { model, version: one } } });
  const evidence = await compareOnFreshRows(await find(version), await find(formerVersion), {
    ...context,
    settings: {},
    // What was answered by the present version is new to it: it was trained before.
    isNewToPresent: from === 'log',
  });
  const verdict: RetrainingVerdict =
    evidence instanceof NotTestable
      ? { outcome: 'no_better', reason: `They cannot be compared: ${evidence.reason}` }
      : judgeRetraining(evidence, HOLDOUT_RULE);
  const rows = evidence instanceof NotTestable ? 0 : evidence.pairs;
  const told = { better: 'does better', no_better: 'is not shown to do better', worse: 'does worse' }[verdict.outcome];
  await noteStep(
    prisma,
    repairId,
    'judged',
    `On ${rows} fresh rows that neither has learnt from ${version} ${told} than ${formerVersion}: ${verdict.reason}`,
    { verdict, rows },
  );
  return verdict;
}
