import { z } from 'zod';

/** The input of the workflow: the key that was the first of `ENCRYPTION_KEYS` when the job was asked for, by its id. */
export const reencryptJobSchema = z.strictObject({ key_id: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/) });
