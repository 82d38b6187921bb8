import type { z } from 'zod';
import { whole } from '../whole.js';
import type { StepCacheContext } from './step-cache.js';

/** How much is kept of earlier trainings. */
export const stepCacheEnvironment = {
  STEP_CACHE_MB: whole(1024, 0, 16_777_216).describe(
    'Tables of earlier trainings that are kept beside the models, so that the next one of the same rows need not build its own, in MiB together; 0 keeps none',
  ),
  STEP_CACHE_DAYS: whole(7, 1, 365).describe('Days after which a table that nobody has used is no longer kept'),
};

export const readStepCacheSettings = (
  env: z.output<z.ZodObject<typeof stepCacheEnvironment>>,
): Pick<StepCacheContext, 'maxBytes' | 'maxAgeMs'> => ({
  maxBytes: env.STEP_CACHE_MB * 2 ** 20,
  maxAgeMs: env.STEP_CACHE_DAYS * 86_400_000,
});
