import type { Database, Prisma } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';
import type { TrainingPlan } from '../training/training-plan.js';

/** The parameters of a run by flat names: what was planned, or, once there is a fit, what was used. */
export function paramsOf(
  plan: { algorithm: string; seed?: number; validationSplit?: number },
  hyperparameters: Readonly<Record<string, unknown>>,
): Prisma.InputJsonObject {
  const { algorithm, seed, validationSplit } = plan;
  const known = Object.entries({ ...hyperparameters, algorithm, seed, validation_split: validationSplit });
  return jsonOf(Object.fromEntries(known));
}

/** Writes a training down as a run, once it is known what it follows. A repetition changes nothing. */
export async function beginRun({ prisma }: Database, plan: TrainingPlan): Promise<void> {
  const run = {
    id: plan.jobId,
    kind: 'training',
    model: plan.model,
    params: paramsOf(plan, plan.hyperparameters),
    codeVersion: plan.codeVersion,
    datasetId: plan.datasetId,
    datasetDigest: plan.datasetDigest,
  };
  await prisma.run.createMany({ data: [run], skipDuplicates: true });
}
