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
    const prediction = await prisma.prediction.findUnique({ where: { id: input.predictionId }, select: { id: true } });
    if (!prediction)
      throw new ServiceError('prediction_not_found', `There is no prediction "${input.predictionId.slice(0, 100)}".`);
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
