import { z } from 'zod';
import { noteSchema, versionOrAliasSchema } from './deployment.js';

export const rollbackRequestSchema = z.strictObject({
  version: versionOrAliasSchema.optional().describe('The version to go back to; the one before by default'),
  note: noteSchema,
});

export const modelQuerySchema = z.object({
  as_of: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('Also tell who served at this time, from the ledger of traffic'),
});
