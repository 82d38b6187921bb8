import { z } from 'zod';

/** A setting that is a whole number. */
export const whole = (fallback: number, least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .default(String(fallback))
    .transform(Number)
    .pipe(z.number().min(least).max(most));
