import { ServiceError } from '../../core/errors.js';
import { withDatabase, type Database } from '../database/database.js';
import type { PredictionLog } from './prediction-log.js';

/**
 * Keeps what turned out to be true. Late, repeated and corrected reports are all kept; the newest `observed_at` wins, and the
 * same report twice is one.
 * @throws ServiceError `prediction_not_found`.
 */
export async function recordOutcome(
  input: { predictionId: string; outcome: Record<string, string | number | boolean | null>; observedAt?: string },
  { database, log }: { database: Database; log: PredictionLog },
): Promise<{ prediction_id: string; observed_at: string; outcome: unknown }> {
  return withDatabase(async () => {
    // The prediction may still be in the buffer of this process.
    await log.flush();
    const { prisma } = database;
    const prediction = await prisma.prediction.findUnique({
      where: { id: input.predictionId },
      select: { id: true, predictions: true },
    });
    if (!prediction)
      throw new ServiceError('prediction_not_found', `There is no prediction "${input.predictionId.slice(0, 100)}".`);
    refuseUnknownHeads(input.outcome, prediction.predictions as Record<string, unknown>);
    const observedAt = input.observedAt ? new Date(input.observedAt) : new Date();
    const key = { predictionId: input.predictionId, observedAt };
    await prisma.predictionOutcome.upsert({
      where: { predictionId_observedAt: key },
      create: { ...key, outcome: input.outcome },
      update: { outcome: input.outcome },
    });
    const newest = await prisma.predictionOutcome.findFirstOrThrow({
      where: { predictionId: input.predictionId },
      orderBy: { observedAt: 'desc' },
    });
    return { prediction_id: input.predictionId, observed_at: newest.observedAt.toISOString(), outcome: newest.outcome };
  });
}

/** Parts of an answer that are not predictions of their own. */
const NO_HEADS = ['probabilities', 'interval'];

/** A misspelt head would replace the right truth in silence. */
function refuseUnknownHeads(outcome: Record<string, unknown>, predictions: Record<string, unknown>): void {
  const heads = Object.keys(predictions).filter((name) => !NO_HEADS.includes(name));
  const unknown = Object.keys(outcome).filter((name) => !heads.includes(name));
  if (unknown.length === 0) return;
  throw new ServiceError(
    'request_invalid',
    `The prediction has the heads ${heads.join(', ')}.`,
    unknown.map((name) => ({
      path: `outcome.${name}`,
      message: `is not a head of this prediction; its heads: ${heads.join(', ')}`,
    })),
  );
}
