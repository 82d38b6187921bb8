import { z } from 'zod';
import { parseKeys } from './key-ring.js';

/** The variable of the keys; `services/config.ts` reads it. */
export const encryptionEnvironment = {
  ENCRYPTION_KEYS: z
    .string()
    .transform((text, context) => {
      try {
        return parseKeys(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    })
    .optional()
    .describe(
      'Keys as `id:base64` of 32 bytes, separated by commas; the first one writes, all read. Models, datasets, uploads, spools and what Temporal keeps of the jobs are encrypted with them',
    ),
};
