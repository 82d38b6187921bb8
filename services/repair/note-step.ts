import type { Database } from '../database/database.js';
import { jsonOf } from '../database/json-of.js';

/** What happened in a repair, in their order. */
export const REPAIR_STEPS = ['opened', 'collected', 'trained', 'judged', 'rolled_out', 'closed'] as const;
export type RepairStepName = (typeof REPAIR_STEPS)[number];

/** Writes a step of a repair down, once: of a repeated one the first stands. @param summary a sentence of its story */
export async function noteStep(
  prisma: Pick<Database['prisma'], 'repairStep'>,
  repairId: string,
  step: RepairStepName,
  summary: string,
  detail: object = {},
): Promise<void> {
  await prisma.repairStep.createMany({
    data: [{ repairId, step, summary, detail: jsonOf(detail) }],
    skipDuplicates: true,
  });
}
