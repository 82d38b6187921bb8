import type { z } from 'zod';
import { whole } from '../whole.js';

/** The variables that bound what callers send; part of those of `services/config.ts`. */
export const uploadEnvironment = {
  UPLOAD_MAX_MB: whole(10_240, 1, 16_777_216).describe('MiB that one upload may have'),
  UPLOAD_MAX_TIME: whole(14_400, 1, 604_800).describe(
    'Seconds that the body of one upload, or of one stream of events, may take to come; then it is answered 408',
  ),
  UPLOAD_MIN_RATE: whole(1024, 0, 1_073_741_824).describe(
    'Bytes a second that must come of such a body, on the mean of UPLOAD_RATE_WINDOW; else it is answered 408. With 0 any byte will do',
  ),
  UPLOAD_RATE_WINDOW: whole(60, 1, 3600).describe('Seconds that UPLOAD_MIN_RATE is a mean of'),
  UPLOAD_HOURS: whole(24, 1, 8760).describe('Hours that an upload is kept'),
};

export interface UploadSettings {
  maxBytes: number;
  hours: number;
  pace: {
    /** Seconds from the head of a request to the end of its body. */
    maxSeconds: number;
    /** Bytes a second, on the mean of each window, while we take them as fast as they come; 0 = any byte will do. */
    leastRate: number;
    /** Seconds. */
    windowSeconds: number;
  };
}

/** @param env what `uploadEnvironment` has read */
export const toUploadSettings = (env: z.output<z.ZodObject<typeof uploadEnvironment>>): UploadSettings => ({
  maxBytes: env.UPLOAD_MAX_MB * 2 ** 20,
  hours: env.UPLOAD_HOURS,
  pace: {
    maxSeconds: env.UPLOAD_MAX_TIME,
    leastRate: env.UPLOAD_MIN_RATE,
    windowSeconds: env.UPLOAD_RATE_WINDOW,
  },
});
